import type { Command } from "commander";
import { KvError } from "../../errors.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import type { Target } from "../target/target.ts";
import { quoted } from "../terminal_text.ts";

/** `cairn del KEY...` */
export function addDel(program: Command, stdout: Output): void {
  addTargetOptions(program.command("del"))
    .description("delete keys; exits with 1 if one of them did not exist")
    .argument("<key...>")
    .addHelpText(
      "after",
      "\nExamples:\n  cairn del greeting\n  cairn list --prefix session: | xargs -d '\\n' cairn del",
    )
    .action(async (keys: string[], _options, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions>();
      await using target = await openTarget(command, "change");
      // All at once, so that one fsync covers many.
      const outcomes = await Promise.all([...new Set(keys)].map((key) => deleteOne(target, key)));
      const missing = outcomes.filter(({ found }) => !found).map(({ key }) => key);
      if (json) {
        const deleted = outcomes.filter(({ found }) => found)
          .map(({ key, version }) => ({ key, version }));
        stdout.writeLine(JSON.stringify({ deleted, missing }));
      }
      stdout.flush();
      if (missing.length === 0) return;
      const others = missing.length === outcomes.length ? "" : "; the others are deleted";
      const names = missing.map(quoted).join(", ");
      throw new CliError(
        EXIT_CODE.notFound,
        `there is no key ${names} ${target.place}${others}`,
      );
    });
}

interface Outcome {
  key: string;
  found: boolean;
  version?: number;
}

async function deleteOne(target: Target, key: string): Promise<Outcome> {
  try {
    return { key, found: true, ...await target.delete(key) };
  } catch (error) {
    if (error instanceof KvError && error.code === "NotFound") return { key, found: false };
    throw error;
  }
}
