import { lstatSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import type { Command } from "commander";
import type { ScanOptions } from "../../mod.ts";
import { parseNonEmpty } from "../argument.ts";
import { confirm } from "../confirm.ts";
import { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import type { FrozenStore } from "../target/target.ts";
import { quoted } from "../terminal_text.ts";
import { formatCount, formatMillis, formatQuantity } from "../text_format.ts";
import { addFormatOptions, formatOf, type FormatOptions } from "../transfer/format_options.ts";
import { Progress, rateOf } from "../transfer/progress.ts";

interface ExportOptions extends GlobalOptions, FormatOptions {
  prefix?: string;
  start?: string;
  end?: string;
  yes?: true;
}

const STDERR = 2;
const PROGRESS_EVERY = 500;

/** `cairn export FILE|-` */
export function addExport(program: Command, stdout: Output): void {
  addFormatOptions(addTargetOptions(program.command("export")))
    .description("write all entries, as of one version, as JSON lines or CSV; - is standard output")
    .argument("<file>", "where to, or -", parseNonEmpty)
    .option("--prefix <text>", "only keys that begin with this")
    .option("--start <key>", "from this key on", parseNonEmpty)
    .option("--end <key>", "up to this key, without it", parseNonEmpty)
    .option("--yes", "replace the file if it exists, without asking")
    .addHelpText("after", HELP_TAIL)
    .action(async (file: string, _options, command: Command) => {
      const options = command.optsWithGlobals<ExportOptions>();
      const isPipe = file === "-";
      const stat = isPipe ? undefined : lstatSync(file, { throwIfNoEntry: false });
      // Devices and pipes are written to as they are.
      const replaces = stat?.isFile() ?? false;
      if (replaces) confirm(`${quoted(file)} exists: replace it`, options.yes === true);
      await using target = await openTarget(command, "read");
      const fetching = new Progress("fetch", "bytes");
      await using frozen = await target.freeze(
        isPipe || !(replaces || stat === undefined) ? tmpdir() : dirname(file),
        fetching.copyObserver,
      ).finally(() => fetching.clear());
      const progress = new Progress("export");
      const exported = await writeTo(
        file,
        stat !== undefined && !replaces,
        stdout,
        (output) => writeEntries(file, options, frozen, output, progress),
      );
      const { elapsedMs } = fetching;
      const report = { exported, version: frozen.version, durationMs: Math.round(elapsedMs) };
      const output = isPipe ? new Output(STDERR) : stdout;
      output.writeLine(
        options.json
          ? JSON.stringify(report)
          : `Exported ${formatQuantity(exported, "record")} as of version ${frozen.version} in ` +
            `${formatMillis(elapsedMs)} (${formatCount(rateOf(exported, elapsedMs))}/s)`,
      );
      output.flush();
    });
}

async function writeTo(
  file: string,
  isDevice: boolean,
  stdout: Output,
  write: (output: Output) => Promise<number>,
): Promise<number> {
  if (file === "-") return await write(stdout);
  const { writeInto, writeWholeFile } = await import("../transfer/export_file.ts");
  let exported = 0;
  const counted = async (output: Output) => void (exported = await write(output));
  await (isDevice ? writeInto(file, counted) : writeWholeFile(file, counted));
  return exported;
}

async function writeEntries(
  file: string,
  options: ExportOptions,
  frozen: FrozenStore,
  output: Output,
  progress: Progress,
): Promise<number> {
  const { prefix, start, end, delimiter } = options;
  const scanOptions: ScanOptions = {
    ...(prefix !== undefined && { prefix }),
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
  };
  const isCsv = formatOf(file, options) === "csv";
  const { csvHeader, writeCsv } = await import("../transfer/csv_writer.ts");
  const { writeNdjson } = await import("../transfer/ndjson.ts");
  // Of a part nobody knows beforehand how much it is.
  const total = Object.keys(scanOptions).length === 0 ? frozen.keys : undefined;
  let exported = 0;
  try {
    if (isCsv) output.write(csvHeader(delimiter));
    for await (const entry of frozen.scan(scanOptions)) {
      output.write(isCsv ? writeCsv(entry, delimiter) : writeNdjson(entry));
      if (++exported % PROGRESS_EVERY === 0) progress.update(total && exported / total, exported);
    }
    output.flush();
  } finally {
    progress.clear();
  }
  return exported;
}

const HELP_TAIL = `
The export is as of one version, whatever is written meanwhile: of a server, its backup is
fetched into a directory beside the file, or in TMPDIR, and removed again. It takes as much
space there as the store has. 'cairn import' makes the same entries of it.

Examples:
  cairn export dump.ndjson
  cairn export users.csv --prefix user:
  cairn export - --url http://127.0.0.1:8620 | gzip > dump.ndjson.gz`;
