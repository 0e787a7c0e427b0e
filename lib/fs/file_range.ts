/** What every implementation of `File` checks before it reads or writes. */

import { assert } from "../assert.ts";

/**
 * Throws unless the range lies in the buffer and starts at a position. A negative or missing
 * position would mean "wherever the descriptor happens to stand" to the runtimes.
 */
export function assertRange(
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  // The message is made only when it is needed: this runs once for every read of a value.
  const valid = Number.isSafeInteger(position) && position >= 0 && offset >= 0 && length >= 0 &&
    offset + length <= buffer.length;
  if (!valid) {
    assert(false, `${length} bytes at ${position} of a file, at ${offset} of ${buffer.length}`);
  }
}

/** Throws unless a file can have the length `size`. */
export function assertSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) assert(false, `file size ${size}`);
}
