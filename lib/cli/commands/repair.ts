import type { Command } from "commander";
import { KvStore, type RepairReport } from "../../mod.ts";
import { parseNonEmpty } from "../argument.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { requireDirectory } from "../open_store.ts";
import { escapeControls } from "../terminal_text.ts";
import { formatBytes, formatQuantity } from "../text_format.ts";

interface RepairCommandOptions extends GlobalOptions {
  out: string;
  keepPartialBatches?: true;
}

/** `cairn repair` */
export function addRepair(program: Command, stdout: Output): void {
  program.command("repair")
    .description("salvage what can be read of a damaged store into a new one; only reads the old")
    .requiredOption("--out <dir>", "directory of the new store, new or empty", parseNonEmpty)
    .option("--keep-partial-batches", "keep what is readable of batches that are not whole")
    .addHelpText("after", HELP_TAIL)
    .action(async (_options, command: Command) => {
      const { db, json, out, keepPartialBatches } = command.optsWithGlobals<RepairCommandOptions>();
      requireDirectory(db);
      const report = await KvStore.repair(db, out, {
        keepPartialBatches: keepPartialBatches === true,
      });
      if (json) stdout.writeLine(JSON.stringify(report));
      else for (const line of describe(report)) stdout.writeLine(escapeControls(line));
      stdout.flush();
      if (report.complete) return;
      throw new CliError(
        EXIT_CODE.corruption,
        `something was lost: ${out} holds what could be read of ${db}, which is as it was; ` +
          "keep it until you have made sure that nothing else is needed of it",
      );
    });
}

function describe(report: RepairReport): string[] {
  const { lost, batches, skipped, warnings, tornBytes } = report;
  const lines = lost.map(({ path, offset, length, reason, recordsLost }) => {
    const where = length === 0 ? `at byte ${offset}` : `bytes ${offset} to ${offset + length}`;
    const what = recordsLost === undefined
      ? "records lost: unknown"
      : recordsLost === 0
      ? "no record lost"
      : `${formatQuantity(recordsLost, "record")} lost`;
    return `${path}, ${where}: ${reason} (${what})`;
  });
  for (const { path, offset, records, recordsReadable, kept } of batches) {
    lines.push(
      `${path} at byte ${offset}: a batch of ${formatQuantity(records, "record")} is not whole, ` +
        `${recordsReadable} of them ${kept ? "kept" : "left out"}`,
    );
  }
  lines.push(...skipped.map(({ path, reason }) => `${path}: not used, ${reason}`));
  lines.push(...warnings.map((warning) => `note: ${warning}`));
  if (tornBytes > 0) {
    lines.push(`${formatBytes(tornBytes)} of a write that was never acknowledged were left out`);
  }
  lines.push(
    `Salvaged ${formatQuantity(report.keys, "key")} into ${report.destination}: ` +
      `${formatQuantity(report.recordsReadable, "record")} read in ` +
      `${formatQuantity(report.segments, "segment")}, ${formatBytes(report.bytes)}; ` +
      `${formatQuantity(report.recordsWritten, "record")} written, newest version ` +
      `${report.version}`,
  );
  return lines;
}

const HELP_TAIL = `
The store must not be in use: stop it, or copy its directory and repair the copy.
The new store keeps identity and versions. Where the newest value of a key is lost,
it has the newest one that can be read. Deletes that are lost may come back.
Exits with 0 if nothing was lost, with 4 if something was.

Examples:
  cairn repair --db shop --out shop-repaired
  cairn repair --db shop --out shop-repaired --json > report.json`;
