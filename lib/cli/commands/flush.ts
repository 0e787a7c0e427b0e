import type { Command } from "commander";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";

/** `cairn flush` */
export function addFlush(program: Command, stdout: Output): void {
  addTargetOptions(program.command("flush"))
    .description("wait until everything acknowledged is on the disk")
    .addHelpText("after", HELP_TAIL)
    .action(async (_options, command: Command) => {
      await using target = await openTarget(command, "change");
      await target.flush();
      const { json } = command.optsWithGlobals<GlobalOptions>();
      if (json) stdout.writeLine(JSON.stringify({ flushed: true }));
      stdout.flush();
    });
}

const HELP_TAIL = `
Of use with a server that was started with --durability batch.

Examples:
  cairn flush --url http://127.0.0.1:8620`;
