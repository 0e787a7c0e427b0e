/** Values inside JSON. */

import { Buffer, isUtf8 } from "node:buffer";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A value inside JSON: as text where it is UTF-8, otherwise in base64 with a mark. */
export function writeValue(value: Uint8Array): { value: string; encoding?: "base64" } {
  if (isUtf8(value)) return { value: decoder.decode(value) };
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return { value: bytes.toString("base64"), encoding: "base64" };
}
