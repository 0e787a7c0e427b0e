/**
 * Layout of one record of the index, in words, and what is computed from it alone.
 *
 *     0  hash of the key
 *     1  file id
 *     2  offset in the file (31 bits) | has an expiry (the sign bit)
 *     3  frame length; -1 when the record is dead
 *     4  CRC of the frame
 *     5  LSN, low 32 bits
 *     6  LSN, high 16 bits | length of the key - 1 (low 16 bits)
 *     7  expiry, low 32 bits      \
 *     8  expiry, high bits         > only with an expiry
 *     9  position in the queue    /
 *     .. key, four bytes a word, first byte highest, the last word filled up with zeros
 *
 * With the first byte highest, comparing words as unsigned numbers compares keys in byte order, and
 * everything is read in words: no second view of the memory, no dependence on the machine.
 */

import { assert } from "../assert.ts";
import {
  EXPIRES_AT_LIMIT,
  FILE_ID_LIMIT,
  KEY_BYTES_LIMIT,
  LSN_LIMIT,
  SEGMENT_BYTES_LIMIT,
} from "../limits.ts";

/** Word of the hash. */
export const HASH = 0;
/** Word of the file id. */
export const FILE_ID = 1;
/** Word of the offset, and of the sign bit that tells an expiry. */
export const OFFSET = 2;
/** Word of the frame length, or {@link DEAD}. */
export const FRAME_LENGTH = 3;
/** Word of the CRC. */
export const CRC = 4;
/** Word of the LSN's low bits. */
export const LSN_LOW = 5;
/** Word of the LSN's high bits and the key's length. */
export const LSN_HIGH_KEY_LENGTH = 6;
/** Word of the expiry's low bits. */
export const EXPIRY_LOW = 7;
/** Word of the expiry's high bits. */
export const EXPIRY_HIGH = 8;
/** Word of the position in the expiry queue. Written outside the seqlock: readers ignore it. */
export const EXPIRY_POSITION = 9;

/** Words before the key, without an expiry. */
export const HEADER_WORDS = 7;
/** Further words before the key, with an expiry. */
export const EXPIRY_WORDS = 3;
/** Value of {@link FRAME_LENGTH} in a record that was freed. */
export const DEAD = -1;
/** The sign bit of the word {@link OFFSET}. */
export const EXPIRY_FLAG = 0x80000000 | 0;
/** The other bits of the word {@link OFFSET}. */
export const OFFSET_MASK = 0x7fffffff;

const SIGN = 0x80000000 | 0;
const KEY_LENGTH_MASK = 0xffff;
const TWO_POW_32 = 2 ** 32;
const TWO_POW_MINUS_32 = 2 ** -32;

assert(SEGMENT_BYTES_LIMIT < 2 ** 31, "offsets and frame lengths leave the sign bit free");
assert(LSN_LIMIT < 2 ** 48 && KEY_BYTES_LIMIT - 1 <= KEY_LENGTH_MASK, "LSN and key length fit");
assert(FILE_ID_LIMIT < TWO_POW_32, "a file id fits a word");

/** Words a record takes, given its key's length in bytes. */
export function recordWords(keyLength: number, hasExpiry: boolean): number {
  return HEADER_WORDS + (hasExpiry ? EXPIRY_WORDS : 0) + ((keyLength + 3) >>> 2);
}

/** Words the record at `at` takes, dead or alive. */
export function recordWordsAt(view: Int32Array, at: number): number {
  return recordWords(keyLengthAt(view, at), hasExpiryAt(view, at));
}

/** Whether the record has an expiry. */
export function hasExpiryAt(view: Int32Array, at: number): boolean {
  return view[at + OFFSET]! < 0;
}

/** Length of the key in bytes. */
export function keyLengthAt(view: Int32Array, at: number): number {
  return (view[at + LSN_HIGH_KEY_LENGTH]! & KEY_LENGTH_MASK) + 1;
}

/** First word of the key. */
export function keyStartAt(view: Int32Array, at: number): number {
  return at + HEADER_WORDS + (view[at + OFFSET]! >>> 31) * EXPIRY_WORDS;
}

/** The LSN. */
export function lsnAt(view: Int32Array, at: number): number {
  return (view[at + LSN_LOW]! >>> 0) + (view[at + LSN_HIGH_KEY_LENGTH]! >>> 16) * TWO_POW_32;
}

/** The expiry in milliseconds since the epoch, or 0 for none. */
export function expiresAtAt(view: Int32Array, at: number): number {
  if (!hasExpiryAt(view, at)) return 0;
  return (view[at + EXPIRY_LOW]! >>> 0) + view[at + EXPIRY_HIGH]! * TWO_POW_32;
}

/** Checks what a key is to point at: it fits the words below. */
export function assertMeta(
  offset: number,
  frameLength: number,
  lsn: number,
  expiresAt: number,
): void {
  assert(offset >= 0 && offset <= SEGMENT_BYTES_LIMIT, "an offset fits 31 bits");
  assert(frameLength >= 0 && frameLength <= SEGMENT_BYTES_LIMIT, "a frame length fits 31 bits");
  assert(lsn >= 0 && lsn <= LSN_LIMIT, "an LSN fits 48 bits");
  assert(expiresAt >= 0 && expiresAt <= EXPIRES_AT_LIMIT, "an expiry is a date, or 0");
}

/** Writes all that a key points at. The words of the expiry exist if and only if it is not 0. */
export function writeHeader(
  view: Int32Array,
  at: number,
  hash: number,
  keyLength: number,
  fileId: number,
  offset: number,
  frameLength: number,
  crc: number,
  lsn: number,
  expiresAt: number,
): void {
  view[at + HASH] = hash;
  view[at + FILE_ID] = fileId;
  view[at + FRAME_LENGTH] = frameLength;
  view[at + CRC] = crc;
  view[at + LSN_LOW] = lsn;
  view[at + LSN_HIGH_KEY_LENGTH] = ((lsn * TWO_POW_MINUS_32) << 16) | (keyLength - 1);
  if (expiresAt === 0) {
    view[at + OFFSET] = offset;
  } else {
    view[at + OFFSET] = offset | EXPIRY_FLAG;
    view[at + EXPIRY_LOW] = expiresAt;
    view[at + EXPIRY_HIGH] = expiresAt * TWO_POW_MINUS_32;
  }
}

/** Writes a key from word `at` on. */
export function writeKey(
  view: Int32Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  length: number,
): void {
  let word = at;
  let from = start;
  const wordsEnd = start + (length & ~3);
  while (from < wordsEnd) {
    view[word++] = (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) |
      bytes[from + 3]!;
    from += 4;
  }
  if ((length & 3) > 0) view[word] = lastWord(bytes, from, length & 3);
}

/** Copies the key of the record at `at` to `target`, which has the room. Returns its length. */
export function readKey(
  view: Int32Array,
  at: number,
  target: Uint8Array,
  targetOffset: number,
): number {
  const length = keyLengthAt(view, at);
  let word = keyStartAt(view, at);
  let to = targetOffset;
  const wordsEnd = targetOffset + (length & ~3);
  while (to < wordsEnd) {
    const value = view[word++]!;
    target[to] = value >>> 24;
    target[to + 1] = value >>> 16;
    target[to + 2] = value >>> 8;
    target[to + 3] = value;
    to += 4;
  }
  const end = targetOffset + length;
  for (let shift = 24; to < end; shift -= 8) target[to++] = view[word]! >>> shift;
  return length;
}

/** Whether the record at `at` has exactly this key. */
export function keyEquals(
  view: Int32Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  length: number,
): boolean {
  if ((view[at + LSN_HIGH_KEY_LENGTH]! & KEY_LENGTH_MASK) !== length - 1) return false;
  let word = keyStartAt(view, at);
  let from = start;
  const wordsEnd = start + (length & ~3);
  while (from < wordsEnd) {
    const expected = (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) |
      bytes[from + 3]!;
    if (view[word++]! !== expected) return false;
    from += 4;
  }
  return (length & 3) === 0 || view[word]! === lastWord(bytes, from, length & 3);
}

/**
 * Compares two runs of key words in byte order: negative, 0 or positive. The zeros that fill up a
 * last word cannot be told from zero bytes of a longer key; the lengths decide then.
 */
export function compareKeys(
  left: Int32Array,
  leftStart: number,
  leftLength: number,
  right: Int32Array,
  rightStart: number,
  rightLength: number,
): number {
  const words = (Math.min(leftLength, rightLength) + 3) >>> 2;
  for (let i = 0; i < words; i++) {
    const a = left[leftStart + i]!;
    const b = right[rightStart + i]!;
    // Flipping the sign bit makes the signed comparison an unsigned one.
    if (a !== b) return (a ^ SIGN) < (b ^ SIGN) ? -1 : 1;
  }
  return leftLength - rightLength;
}

function lastWord(bytes: Uint8Array, from: number, count: number): number {
  let word = bytes[from]! << 24;
  if (count > 1) word |= bytes[from + 1]! << 16;
  if (count > 2) word |= bytes[from + 2]! << 8;
  return word;
}

/** Copies the key of the record at `at` to the record at `targetAt`, whose header is written. */
export function copyKey(view: Int32Array, at: number, target: Int32Array, targetAt: number): void {
  const words = (keyLengthAt(view, at) + 3) >>> 2;
  copyWords(view, keyStartAt(view, at), target, keyStartAt(target, targetAt), words);
}

/** Copies words from one record to another. */
export function copyWords(
  source: Int32Array,
  sourceStart: number,
  target: Int32Array,
  targetStart: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) target[targetStart + i] = source[sourceStart + i]!;
}
