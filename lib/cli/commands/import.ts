import { type Command, Option } from "commander";
import { integerBetween, parseNonEmpty } from "../argument.ts";
import { CliError } from "../cli_error.ts";
import { type Output, writeFully } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { Interruption } from "../interruption.ts";
import type { GlobalOptions } from "../global_options.ts";
import { currentSession } from "../session.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import type { Target } from "../target/target.ts";
import { escapeControls } from "../terminal_text.ts";
import { formatCount, formatMillis, formatQuantity } from "../text_format.ts";
import { addFormatOptions, formatOf, type FormatOptions } from "../transfer/format_options.ts";
import type { ImportReport } from "../transfer/import_run.ts";
import type { ImportRecord } from "../transfer/records.ts";
import type { SourceFile } from "../transfer/source_file.ts";

interface ImportOptions extends GlobalOptions, FormatOptions {
  onError: "stop" | "skip";
  skip: number;
  resume?: string;
  keyColumn: string;
  valueColumn: string;
  columns?: string[];
}

const STDERR = 2;

/** `cairn import FILE|-` */
export function addImport(program: Command, stdout: Output): void {
  addFormatOptions(addTargetOptions(program.command("import")))
    .description("write what a file of JSON lines or CSV holds; - is standard input")
    .argument("<file>", "what to read, or -", parseNonEmpty)
    .addOption(
      new Option("--on-error <what>", "what to do about lines that cannot be imported")
        .choices(["stop", "skip"]).default("stop"),
    )
    .option(
      "--skip <n>",
      "leave the first records out, which are there already",
      integerBetween(0, Number.MAX_SAFE_INTEGER),
      0,
    )
    .option("--resume <file>", "note in a file how far it is, and go on from there", parseNonEmpty)
    .option("--key-column <name>", "the column of CSV that holds keys", parseNonEmpty, "key")
    .option("--value-column <name>", "the one that holds values", parseNonEmpty, "value")
    .option(
      "--columns <names>",
      "names of the columns, with commas between, if CSV does not begin with them",
      (text: string) => text.split(","),
    )
    .addHelpText("after", HELP_TAIL)
    .action(async (file: string, _options, command: Command) => {
      const options = command.optsWithGlobals<ImportOptions>();
      if (file === "-" && currentSession() !== undefined) {
        throw new CliError(
          EXIT_CODE.usage,
          "name a file to import, since standard input holds the commands of the shell",
        );
      }
      const { Progress } = await import("../transfer/progress.ts");
      const progress = new Progress("import");
      const report = await run(file, options, () => openTarget(command, "load"), progress);
      const { elapsedMs } = progress;
      stdout.writeLine(
        options.json
          ? JSON.stringify({ ...report, durationMs: Math.round(elapsedMs) })
          : describe(report, elapsedMs),
      );
      stdout.flush();
    });
}

async function run(
  file: string,
  options: ImportOptions,
  open: () => Promise<Target>,
  progress: { update(share: number | undefined, records: number): void; clear(): void },
): Promise<ImportReport> {
  const { SourceFile } = await import("../transfer/source_file.ts");
  const { badRecord, ImportRun } = await import("../transfer/import_run.ts");
  const { Checkpoint } = await import("../transfer/checkpoint.ts");
  using interruption = new Interruption();
  using source = new SourceFile(file);
  const importRun = new ImportRun({
    open,
    skip: options.skip,
    source: source.name,
    checkpointOf: ({ place }) =>
      options.resume === undefined ? undefined : new Checkpoint(options.resume, file, place),
    onBad(record) {
      if (options.onError === "stop") throw badRecord(record, source.name);
      progress.clear();
      const line = `line ${record.line} left out: ${record.problem}`;
      writeFully(STDERR, new TextEncoder().encode(`cairn: ${escapeControls(line)}\n`));
    },
    onProgress(records) {
      progress.update(source.size && source.position / source.size, records);
    },
  });
  try {
    return await importRun.run(await recordsOf(file, options, source.chunks(interruption)));
  } finally {
    progress.clear();
  }
}

async function recordsOf(
  file: string,
  options: ImportOptions,
  chunks: ReturnType<SourceFile["chunks"]>,
): Promise<AsyncIterable<readonly ImportRecord[]>> {
  if (formatOf(file, options) === "ndjson") {
    const { readNdjson } = await import("../transfer/ndjson.ts");
    return readNdjson(chunks);
  }
  const { readCsv } = await import("../transfer/csv_reader.ts");
  const { delimiter, keyColumn, valueColumn, columns } = options;
  return readCsv(chunks, { delimiter, keyColumn, valueColumn, columns });
}

function describe({ imported, skipped, bad, expired }: ImportReport, elapsedMs: number): string {
  const rate = Math.round(imported / Math.max(0.001, elapsedMs / 1000));
  return [
    `Imported ${formatQuantity(imported, "record")} in ${formatMillis(elapsedMs)} ` +
    `(${formatCount(rate)}/s)`,
    ...(skipped > 0 ? [`${formatCount(skipped)} were there already`] : []),
    ...(expired > 0 ? [`${formatCount(expired)} had expired`] : []),
    ...(bad > 0 ? [`${formatCount(bad)} bad left out`] : []),
  ].join(", ");
}

const HELP_TAIL = `
JSON lines are {"key":"a","value":"1"}, with "encoding":"base64" where the value is not text,
and "expiresAt" in milliseconds since the epoch where it expires: what 'cairn export' writes.
CSV begins with the names of its columns. Keys that exist get the new value.

If it is interrupted, it says how many records are imported, and --skip goes on from there.
With --resume, running the same command again does, even after kill -9.

Examples:
  cairn import dump.ndjson
  cairn import users.csv --key-column email --value-column name --on-error skip
  zcat dump.ndjson.gz | cairn import - --url http://127.0.0.1:8620
  cairn import big.ndjson --resume big.state`;
