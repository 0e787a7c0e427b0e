/** The checksum of every frame: CRC-32 as in zlib and IEEE 802.3, from the runtime's own code. */

import { crc32 as crc32OfBytes } from "node:zlib";

/** CRC-32 of `bytes[start, end)` as an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  return crc32OfBytes(bytes.subarray(start, end));
}
