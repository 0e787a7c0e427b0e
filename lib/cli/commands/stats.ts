import type { Command } from "commander";
import type { StoreStats } from "../../mod.ts";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import {
  formatBytes,
  formatCount,
  formatMillis,
  formatQuantity,
  formatShare,
} from "../text_format.ts";

const NAME_WIDTH = 12;

/** `cairn stats` */
export function addStats(program: Command, stdout: Output): void {
  addTargetOptions(program.command("stats")).description("print figures about the store")
    .addHelpText(
      "after",
      "\nExamples:\n  cairn stats\n  cairn stats --json --url http://127.0.0.1:8620",
    )
    .action(async (_options, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions>();
      await using target = await openTarget(command, "read");
      const stats = await target.stats();
      if (json) stdout.writeLine(JSON.stringify(stats));
      else {for (const [name, figure] of rowsOf(stats)) {
          stdout.writeLine(name.padEnd(NAME_WIDTH) + figure);
        }}
      stdout.flush();
    });
}

function rowsOf(stats: StoreStats): [string, string][] {
  const { replay } = stats;
  const perKey = stats.keys === 0
    ? ""
    : `, ${(stats.indexBytes / stats.keys).toFixed(1)} bytes a key`;
  const torn = replay.truncatedBytes === 0
    ? ""
    : `, ${formatQuantity(replay.truncatedBytes, "byte")} of a torn tail`;
  return [
    ["keys", formatCount(stats.keys)],
    ["version", formatCount(stats.version)],
    ["log", `${formatBytes(stats.totalBytes)} in ${formatQuantity(stats.segments, "segment")}`],
    ["alive", share(stats.aliveBytes, stats.totalBytes)],
    ["dead", share(stats.deadBytes, stats.totalBytes)],
    ["index", `${formatBytes(stats.indexBytes)}${perKey}`],
    [
      "opened in",
      `${formatMillis(replay.durationMs)}: ${formatQuantity(replay.records, "record")}, ` +
      `${formatQuantity(replay.hints, "hint file")} used${torn}`,
    ],
    ["compaction", describeCompaction(stats)],
    ["node id", stats.nodeId],
  ];
}

/** Only the process that writes compacts, so only a server has something to tell. */
function describeCompaction({ compacting, compactions, lastCompaction }: StoreStats): string {
  if (compacting) return "under way";
  if (lastCompaction === undefined) return "none since opening";
  const { bytesReclaimed, durationMs } = lastCompaction;
  return `${formatCount(compactions)} since opening, the last one reclaimed ` +
    `${formatBytes(bytesReclaimed)} in ${formatMillis(durationMs)}`;
}

function share(part: number, whole: number): string {
  return `${formatBytes(part)} (${formatShare(part, whole)})`;
}
