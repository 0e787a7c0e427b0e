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
const BAR_WIDTH = 20;

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
      else {
        for (const [name, figure] of rowsOf(stats, target.isServer)) {
          stdout.writeLine(name.padEnd(NAME_WIDTH) + figure);
        }
      }
      stdout.flush();
    });
}

function rowsOf(stats: StoreStats, isServer: boolean): [string, string][] {
  const { replay, version, durableVersion, totalBytes, aliveBytes, deadBytes, syncs } = stats;
  const torn = replay.truncatedBytes === 0
    ? ""
    : `, ${formatQuantity(replay.truncatedBytes, "byte")} of a torn tail`;
  const durable = durableVersion >= version
    ? "all of it durable"
    : `durable up to ${formatCount(durableVersion)}`;
  const expiring = stats.expiringKeys === 0
    ? ""
    : `, of which ${formatCount(stats.expiringKeys)} will expire`;
  return [
    ["keys", `${formatCount(stats.keys)}${expiring}`],
    ["version", `${formatCount(version)}, ${durable}`],
    ["log", `${formatBytes(totalBytes)} in ${formatQuantity(stats.segments, "segment")}`],
    ["live", `${barOf(aliveBytes, totalBytes)} ${share(aliveBytes, totalBytes)}`],
    ["dead", `${barOf(deadBytes, totalBytes)} ${share(deadBytes, totalBytes)}`],
    [
      "index",
      `${formatBytes(stats.indexBytes)} of memory, of which ` +
      `${formatBytes(stats.indexKeyBytes)} are keys`,
    ],
    ["compaction", isServer ? describeCompaction(stats) : "known of a server that has it open"],
    // What a command has opened for itself has no past.
    ...(isServer
      ? [
        ["fsyncs", `${formatCount(syncs)} since opening`],
        ["in flight", formatQuantity(stats.writesInFlight, "write")],
      ] as [string, string][]
      : []),
    [
      "opened in",
      `${formatMillis(replay.durationMs)}: ${formatQuantity(replay.records, "record")}, ` +
      `${formatQuantity(replay.hints, "hint file")} used${torn}`,
    ],
    ["node id", stats.nodeId],
  ];
}

function describeCompaction(stats: StoreStats): string {
  const { compacting, compactions, lastCompaction, lastCompactionAt, backpressureMs } = stats;
  const waited = backpressureMs > 0 ? `, writes waited ${formatMillis(backpressureMs)} for it` : "";
  const now = compacting ? "under way; " : "";
  if (lastCompaction === undefined) return `${now}none since opening${waited}`;
  const { bytesReclaimed, durationMs } = lastCompaction;
  const at = lastCompactionAt === undefined
    ? ""
    : ` at ${new Date(lastCompactionAt).toISOString()}`;
  return `${now}${formatCount(compactions)} since opening, the last one${at} reclaimed ` +
    `${formatBytes(bytesReclaimed)} in ${formatMillis(durationMs)}${waited}`;
}

/** `#####...............`: anything that is not nothing can be seen. */
function barOf(part: number, whole: number): string {
  const filled = whole === 0 ? 0 : Math.ceil(BAR_WIDTH * part / whole);
  return "#".repeat(filled).padEnd(BAR_WIDTH, ".");
}

function share(part: number, whole: number): string {
  return `${formatBytes(part)} (${formatShare(part, whole)})`;
}
