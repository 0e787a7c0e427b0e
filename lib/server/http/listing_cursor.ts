/**
 * Where a listing goes on: behind the last key that was listed. To clients it is opaque text. Its
 * checksum covers the listing's bounds too, so that one of another listing is noticed as much as a
 * damaged one. It keeps no secret and gives no right: whoever makes one up gets what he could ask for.
 */

import { Buffer, isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import { invalidArgument } from "./problem.ts";

const FORMAT = 1;
const HEADER_BYTES = 5;

/** The bounds of a listing, which stay the same from page to page. */
export interface ListingBounds {
  prefix: string | undefined;
  start: string | undefined;
  end: string | undefined;
  reverse: boolean;
}

/** The cursor behind a key. */
export function encodeCursor(bounds: ListingBounds, key: string): string {
  const keyLength = Buffer.byteLength(key);
  const bytes = Buffer.alloc(HEADER_BYTES + keyLength);
  bytes[0] = FORMAT;
  bytes.write(key, HEADER_BYTES, "utf8");
  bytes.writeUInt32LE(checksum(bounds, bytes.subarray(HEADER_BYTES)), 1);
  return bytes.toString("base64url");
}

/** The key that a cursor stands behind, as bytes. Throws if it is none of a listing like this. */
export function decodeCursor(bounds: ListingBounds, cursor: string): Uint8Array {
  const bytes = Buffer.from(cursor, "base64url");
  const key = bytes.subarray(HEADER_BYTES);
  const isSound = bytes.toString("base64url") === cursor && key.length > 0 && bytes[0] === FORMAT &&
    bytes.readUInt32LE(1) === checksum(bounds, key) && isUtf8(key);
  if (isSound) return key;
  throw invalidArgument(
    "cursor",
    "cursor is not one of this listing: pass it on as it came, with the same prefix, start, end " +
      "and reverse",
  );
}

function checksum({ prefix, start, end, reverse }: ListingBounds, key: Uint8Array): number {
  const bounds = JSON.stringify([prefix ?? null, start ?? null, end ?? null, reverse]);
  return crc32(key, crc32(bounds));
}
