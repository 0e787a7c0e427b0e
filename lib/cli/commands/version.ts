import type { Command } from "commander";
import { buildInfo } from "../build_info.ts";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";

/** `cairn version` */
export function addVersion(program: Command, stdout: Output): void {
  program.command("version").description("print version, commit and platform")
    .addHelpText("after", "\nExamples:\n  cairn version\n  cairn version --json")
    .action((_options, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions>();
      stdout.writeLine(json ? JSON.stringify(buildInfo()) : versionLine());
      stdout.flush();
    });
}

/** `cairn 1.2.3 (commit 0123abc, bun 1.4.5, linux-x64)` */
export function versionLine(): string {
  const { version, commit, runtime, platform } = buildInfo();
  return `cairn ${version} (commit ${commit}, ${runtime}, ${platform})`;
}
