import type { Command } from "commander";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { openForChange } from "../open_store.ts";
import { formatBytes, formatMillis, formatQuantity } from "../text_format.ts";

/** `cairn compact` */
export function addCompact(program: Command, stdout: Output): void {
  program.command("compact").description("give the space of dead records back")
    .action(async (_options, command: Command) => {
      const { db, json } = command.optsWithGlobals<GlobalOptions>();
      await using store = await openForChange(db);
      const result = await store.compact();
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
