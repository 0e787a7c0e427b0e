import type { Command } from "commander";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import { formatBytes, formatMillis, formatQuantity } from "../text_format.ts";

/** `cairn compact` */
export function addCompact(program: Command, stdout: Output): void {
  addTargetOptions(program.command("compact")).description("give the space of dead records back")
    .addHelpText(
      "after",
      "\nIt happens by itself too, when enough is dead.\n\nExamples:\n  cairn compact\n" +
        "  cairn compact --url http://127.0.0.1:8620",
    )
    .action(async (_options, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions>();
      await using target = await openTarget(command, "change");
      const result = await target.compact();
      stdout.writeLine(
        json
          ? JSON.stringify(result)
          : result.segmentsBefore === 0
          ? "Nothing to reclaim"
          : `Reclaimed ${formatBytes(result.bytesReclaimed)}: ` +
            `${formatQuantity(result.segmentsBefore, "segment")} rewritten into ` +
            `${result.segmentsAfter}, ${formatQuantity(result.recordsMoved, "record")} kept, ` +
            `in ${formatMillis(result.durationMs)}`,
      );
      stdout.flush();
    });
}
