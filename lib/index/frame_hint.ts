/**
 * Where a record's frame lies, in one word: the index keeps it beside the record's address, in the
 * same bucket, so that whoever reads can begin to fetch the frame while the record is being fetched.
 * Memory is what a lookup waits for, and so it waits for both at once.
 *
 *     upper 7 bits   of the file id, the lowest ones
 *     lower 25 bits  offset in the file, in units of 64 bytes, the line that processors fetch
 *
 * It is a hint: two files may have it in common, and it says nothing that the record does not say
 * exactly. Nothing may depend on it but speed. It is for lookups that read the value next: where a file
 * is not in the system's cache, to touch it is to wait for the disk.
 */

import { assert } from "../assert.ts";
import { SEGMENT_BYTES_LIMIT } from "../limits.ts";

const OFFSET_BITS = 25;
const LINE_SHIFT = 6;

const HINTED_FRAME_BYTES_MAX = 1024;

/** Files that hints tell apart. */
export const HINTED_FILES = 1 << (32 - OFFSET_BITS);

assert(SEGMENT_BYTES_LIMIT < 2 ** (OFFSET_BITS + LINE_SHIFT), "every offset has a hint");

/** What hints are followed by. */
export interface FrameMemory {
  /** Begins to fetch what a hint points at, if that is memory. Returns nothing of meaning. */
  touch(hint: number): void;
}

/** Stands for no hint. As one it would name the header of a segment. */
export const NO_HINT = 0;

/** The hint for a frame at `offset` of a file; none for a long one, most of which it would not fetch. */
export function frameHint(fileId: number, offset: number, frameLength: number): number {
  if (frameLength > HINTED_FRAME_BYTES_MAX) return NO_HINT;
  return (fileId << OFFSET_BITS) | (offset >>> LINE_SHIFT);
}

/** Which of {@link HINTED_FILES} files a hint points into. */
export function hintedFile(hint: number): number {
  return hint >>> OFFSET_BITS;
}

/** Where the line begins that a hint points at. */
export function hintedOffset(hint: number): number {
  return (hint & ((1 << OFFSET_BITS) - 1)) << LINE_SHIFT;
}
