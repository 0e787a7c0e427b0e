/** Values and times as the JSON of the HTTP interface has them. */

import { Buffer } from "node:buffer";
import { jsonValue } from "../text_format.ts";

/** A value in a listing or a change; without `value` if it was left out. */
export interface ListedValue {
  value?: string;
  encoding?: "base64";
}

/** The bytes of a value; undefined if it was left out. */
export function bytesOf({ value, encoding }: ListedValue): Uint8Array | undefined {
  if (value === undefined) return undefined;
  const bytes = Buffer.from(value, encoding ?? "utf8");
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A value to send. */
export function sendableOf(value: Uint8Array | string): { value: string; encoding?: "base64" } {
  return typeof value === "string" ? { value } : jsonValue(value);
}

/** Milliseconds to live in the seconds that the server takes. */
export function ttlSeconds(ttlMs: number): string {
  return (ttlMs / 1000).toFixed(3);
}
