/** The checksum of every frame: CRC-32 as in zlib and IEEE 802.3, from the runtime's own code. */

import { crc32 as crc32OfBytes } from "node:zlib";
import { copyBytes } from "./copy_bytes.ts";

/** Up to this length, copying bytes to where there is a view already is quicker than making one. */
const SHORT_BYTES_MAX = 512;

/** The beginnings of some bytes by their length, each made when it is first asked for. */
export class Beginnings {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #views: (Uint8Array | undefined)[];

  /** Those of `bytes` from `start` on, up to `lengthMax` of them. */
  constructor(bytes: Uint8Array, start: number, lengthMax: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#views = new Array<Uint8Array | undefined>(lengthMax + 1).fill(undefined);
  }

  /** CRC-32 of the first `length` of them, as an unsigned 32-bit number. */
  crc32(length: number): number {
    const view = this.#views[length] ??= this.#bytes.subarray(this.#start, this.#start + length);
    return crc32OfBytes(view);
  }
}

const scratch = new Uint8Array(SHORT_BYTES_MAX);
const short = new Beginnings(scratch, 0, SHORT_BYTES_MAX);

/** CRC-32 of `bytes[start, end)` as an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > SHORT_BYTES_MAX) return crc32OfBytes(bytes.subarray(start, end));
  copyBytes(bytes, start, end, scratch, 0);
  return short.crc32(end - start);
}
