/**
 * Writing entries as CSV (RFC 4180) with named columns: `key`, `value`, and where a value is not text
 * or expires, `encoding` and `expiresAt`.
 */

import type { Entry } from "../../mod.ts";
import { jsonValue } from "../text_format.ts";

/** The first line of an export. */
export function csvHeader(delimiter: string): string {
  return `${["key", "value", "encoding", "expiresAt"].join(delimiter)}\r\n`;
}

/** An entry, exact for any bytes. */
export function writeCsv({ key, value, expiresAt }: Entry, delimiter: string): string {
  const { value: text, encoding = "" } = jsonValue(value);
  const fields = [quoteField(key, delimiter), quoteField(text, delimiter), encoding];
  return `${[...fields, expiresAt ?? ""].join(delimiter)}\r\n`;
}

function quoteField(text: string, delimiter: string): string {
  const isPlain = text !== "" && !text.includes(delimiter) && !/["\r\n\ufeff]|^\s|\s$/.test(text);
  return isPlain ? text : `"${text.replaceAll('"', '""')}"`;
}
