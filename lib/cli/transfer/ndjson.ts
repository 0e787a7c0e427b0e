/** Entries as lines of JSON: `{"key":"a","value":"1"}`, with `encoding` and `expiresAt` if needed. */

import { Buffer } from "node:buffer";
import type { Entry } from "../../mod.ts";
import { jsonValue } from "../text_format.ts";
import { entryOf, type ImportRecord } from "./records.ts";

/** A value of 64 MiB in which every byte is escaped, and a key. */
const LINE_BYTES_MAX = 400 << 20;
const NEWLINE = 10;
/** What listings have beside an entry, and imports have no use for. */
const FIELDS = new Set(["key", "value", "encoding", "expiresAt", "version", "size", "op"]);

/** An entry, exact for any bytes. */
export function writeNdjson({ key, value, expiresAt }: Entry): string {
  return `${JSON.stringify({ key, ...jsonValue(value), expiresAt })}\n`;
}

/** Goes through the lines. Empty ones do not count. */
export async function* readNdjson(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ImportRecord[], void> {
  let begun: Uint8Array[] = [];
  let begunLength = 0;
  let line = 0;
  for await (const chunk of chunks) {
    const records: ImportRecord[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      let bytes = chunk.subarray(start, end);
      if (begunLength > 0) {
        bytes = Buffer.concat([...begun, bytes]);
        begun = [];
      }
      const tooLong = begunLength > LINE_BYTES_MAX;
      begunLength = 0;
      start = end + 1;
      const record = tooLong ? { line: ++line, problem: TOO_LONG } : readLine(bytes, ++line);
      if (record !== undefined) records.push(record);
    }
    begunLength += chunk.length - start;
    // Of a line that is too long nothing is kept.
    if (begunLength > LINE_BYTES_MAX) begun = [];
    else if (start < chunk.length) begun.push(chunk.slice(start));
    if (records.length > 0) yield records;
  }
  if (begunLength === 0) return;
  const record = begunLength > LINE_BYTES_MAX
    ? { line: line + 1, problem: TOO_LONG }
    : readLine(Buffer.concat(begun), line + 1);
  if (record !== undefined) yield [record];
}

const TOO_LONG = `the line is longer than ${LINE_BYTES_MAX} bytes`;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readLine(bytes: Uint8Array, line: number): ImportRecord | undefined {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { line, problem: "it is not UTF-8" };
  }
  if (line === 1) text = text.replace(/^\ufeff/, "");
  if (/^\s*$/.test(text)) return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    return { line, problem: "it is not JSON" };
  }
  if (typeof parts !== "object" || parts === null || Array.isArray(parts)) {
    return { line, problem: 'it is not an object with "key" and "value"' };
  }
  for (const name in parts) {
    if (!FIELDS.has(name)) {
      return { line, problem: `it has a field ${JSON.stringify(name.slice(0, 60))}, unknown here` };
    }
  }
  if ("op" in parts && parts.op !== "set") return { line, problem: "it is a change, and no set" };
  return { line, ...entryOf(parts as { key: unknown; value: unknown }) };
}
