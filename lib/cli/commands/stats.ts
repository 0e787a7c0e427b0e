import type { Command } from "commander";
import type { StoreStats } from "../../mod.ts";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { openForReading } from "../open_store.ts";
import {
  formatBytes,
  formatCount,
  formatMillis,
  formatQuantity,
  formatShare,
} from "../text_format.ts";

/** `cairn stats` */
export function addStats(program: Command, stdout: Output): void {
  program.command("stats").description("print figures about the store")
    .action(async (_options, command: Command) => {
      const { db, json } = command.optsWithGlobals<GlobalOptions>();
      await using store = await openForReading(db);
      const stats = store.stats();
      if (json) stdout.writeLine(JSON.stringify(stats));
      else for (const [name, figure] of rowsOf(stats)) stdout.writeLine(name.padEnd(11) + figure);
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
    ["node id", stats.nodeId],
  ];
}

function share(part: number, whole: number): string {
  return `${formatBytes(part)} (${formatShare(part, whole)})`;
}
