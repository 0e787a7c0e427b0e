/** Reading CSV with named columns, of which two hold key and value. */

import { Buffer } from "node:buffer";
import { type CsvError, parse } from "csv-parse";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { quoted } from "../terminal_text.ts";
import { entryOf, type EntryParts, type ImportRecord } from "./records.ts";

/** How a file of CSV is to be read. */
export interface CsvOptions {
  /** Between two fields. */
  delimiter: string;
  keyColumn: string;
  valueColumn: string;
  /** The names of the columns, where the file does not begin with them. */
  columns: readonly string[] | undefined;
}

/** As much as a record of the largest key and value can have. */
const RECORD_BYTES_MAX = 200 << 20;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const RECORDS_AT_ONCE = 1000;

interface ParsedRow {
  info: { lines: number };
  record: Uint8Array[];
}

/** Goes through the rows behind the names of the columns. */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<ImportRecord[], void> {
  const broken: ImportRecord[] = [];
  const parser = parse({
    delimiter: options.delimiter,
    // Fields as bytes: what is not UTF-8 must be noticed rather than replaced.
    encoding: null,
    info: true,
    max_record_size: RECORD_BYTES_MAX,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip(error: CsvError | undefined) {
      const lines = (error as unknown as { lines?: number } | undefined)?.lines ?? 0;
      broken.push({ line: lines, problem: problemOf(error) });
      return undefined;
    },
  });
  feed(chunks, parser).catch((error) => parser.destroy(error));
  let columns = options.columns && columnsOf([...options.columns], options);
  let records: ImportRecord[] = [];
  for await (const { info, record } of parser as AsyncIterable<ParsedRow>) {
    if (columns === undefined) {
      columns = columnsOf(record.map((field) => decode(field) ?? ""), options);
      continue;
    }
    while (broken.length > 0 && broken[0]!.line <= info.lines) records.push(broken.shift()!);
    records.push({ line: info.lines, ...readRow(record, columns) });
    if (records.length < RECORDS_AT_ONCE) continue;
    yield records;
    records = [];
  }
  records.push(...broken);
  if (records.length > 0) yield records;
}

/** Hands the parser what there is, as fast as it takes it. */
async function feed(
  chunks: AsyncIterable<Uint8Array>,
  parser: ReturnType<typeof parse>,
): Promise<void> {
  let goOn = () => {};
  parser.on("drain", () => goOn());
  parser.on("close", () => goOn());
  for await (const chunk of withoutByteOrderMark(chunks)) {
    if (parser.destroyed) return;
    if (!parser.write(chunk)) await new Promise<void>((resolve) => goOn = resolve);
  }
  parser.end();
}

/** The parser would take the mark as a reason to hand out texts, and replace what is not UTF-8. */
async function* withoutByteOrderMark(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  let begin = new Uint8Array();
  let hasBegun = false;
  for await (const chunk of chunks) {
    // Its own copy: the parser may look at it later.
    if (hasBegun) yield chunk.slice();
    else {
      begin = new Uint8Array(Buffer.concat([begin, chunk]));
      if (begin.length < BYTE_ORDER_MARK.length) continue;
      hasBegun = true;
      yield strip(begin);
    }
  }
  if (!hasBegun) yield begin;
}

function strip(bytes: Uint8Array): Uint8Array {
  return BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte) ? bytes.slice(3) : bytes;
}

/** Where in a row each part of an entry is. */
interface Columns {
  count: number;
  key: number;
  value: number;
  encoding: number;
  expiresAt: number;
}

function columnsOf(names: string[], { keyColumn, valueColumn }: CsvOptions): Columns {
  for (const [name, option] of [[keyColumn, "--key-column"], [valueColumn, "--value-column"]]) {
    const count = names.filter((each) => each === name).length;
    if (count === 1) continue;
    throw new CliError(
      EXIT_CODE.usage,
      `${count === 0 ? "there is no column" : "there are several columns"} ${quoted(name!)}: the ` +
        `columns are ${names.slice(0, 20).map(quoted).join(", ")}; name the right one with ` +
        `${option}, or all of them with --columns if the file does not begin with their names`,
    );
  }
  return {
    count: names.length,
    key: names.indexOf(keyColumn),
    value: names.indexOf(valueColumn),
    encoding: names.indexOf("encoding"),
    expiresAt: names.indexOf("expiresAt"),
  };
}

function readRow(record: readonly Uint8Array[], columns: Columns): Omit<ImportRecord, "line"> {
  if (record.length !== columns.count) {
    return { problem: `it has ${record.length} fields, and there are ${columns.count} columns` };
  }
  const parts: EntryParts = { key: undefined, value: undefined };
  for (const name of ["key", "value", "encoding", "expiresAt"] as const) {
    const field = record[columns[name]];
    if (field === undefined) continue;
    const text = decode(field);
    if (text === undefined) return { problem: `the ${name} is not UTF-8` };
    if (name === "key" || name === "value") parts[name] = text;
    else if (text !== "") parts[name] = name === "expiresAt" ? toNumber(text) : text;
  }
  return entryOf(parts);
}

function toNumber(text: string): number {
  return /^\d{1,16}$/.test(text) ? Number(text) : NaN;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function problemOf(error: CsvError | undefined): string {
  switch (error?.code) {
    case "CSV_QUOTE_NOT_CLOSED":
      return "a quote is never closed";
    case "CSV_MAX_RECORD_SIZE":
      return "it is too long; a quote may not be closed";
    case "CSV_INVALID_CLOSING_QUOTE":
    case "INVALID_OPENING_QUOTE":
      return "a quote is where none may be: write it twice, within quotes";
    default:
      return error?.message ?? "it is no row";
  }
}
