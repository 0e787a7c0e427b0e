/**
 * One table of the hash index: a page of 1024 buckets of 32 words, two cache lines that lie together.
 *
 *     0..3    14 tags of one byte, 0 for an empty slot; and, in the upper half of the last word, how
 *             many records passed over this bucket because it was full
 *     4..17   14 record addresses
 *     18..31  14 hints where the records' frames are, see frame_hint.ts
 *
 * The low 10 bits of a hash choose the bucket, 8 others make the tag; the directory uses the bits
 * from the top. All tags of a bucket are compared at once. A record that finds its bucket full goes
 * to the next one with a free slot, and every bucket it passed over counts it. A search therefore
 * goes on only while that count is above 0, and removing needs no tombstones: it lowers the counts
 * again.
 *
 * The functions take the slab and the first word of the page. None of them looks at a record.
 */

import { assert } from "../assert.ts";
import { PAGE_WORDS } from "./page_pool.ts";

/** Buckets in a shard. */
export const BUCKETS = 1024;
/** Selects the bucket from a hash. */
export const BUCKET_MASK = BUCKETS - 1;
/** Bucket number to words. */
export const BUCKET_SHIFT = 5;
/** Slots in a bucket. */
export const SLOTS_PER_BUCKET = 14;
/** First word of a bucket's addresses. */
export const ADDRESSES = 4;
/** Word behind the last one of a bucket's addresses. */
export const ADDRESSES_END: number = ADDRESSES + SLOTS_PER_BUCKET;
/** How far behind an address its hint is, in words. */
export const HINT: number = SLOTS_PER_BUCKET;
/** Slots in a shard. */
export const SLOTS: number = BUCKETS * SLOTS_PER_BUCKET;

/** Word of a bucket that counts the records which passed over it, in its upper half. */
const PASSED = 3;
/** One more of them. */
const PASSED_ONE = 1 << 16;

const LOW_BITS = 0x7f7f7f7f;
/** What the last word of tags may add to a set of slots: its upper half is a count. */
const LAST_TAGS = 0x0808;

assert(BUCKETS << BUCKET_SHIFT === PAGE_WORDS, "a shard fills a page");
assert(ADDRESSES_END + SLOTS_PER_BUCKET === 1 << BUCKET_SHIFT, "addresses and hints fill a bucket");
assert(SLOTS < 2 ** 16, "no more records pass over a bucket than can be counted");

/** The tag of a hash in each byte of a word. */
export function tagPattern(hash: number): number {
  const tag = (hash >>> 11) & 0xff;
  // Tag 0 means empty, so it becomes 1.
  return Math.imul(tag + ((tag - 1) >>> 31), 0x01010101);
}

/**
 * Returns a set of the bucket's slots whose tag is that of the pattern; a pattern of 0 finds the
 * empty ones. {@link firstSlot} takes it apart.
 *
 * All tags are compared without a branch: the outcome cannot be predicted, and a wrong guess
 * would cost as much as the comparison of the whole bucket. The comparison is exact, unlike a
 * shorter formula that is well known, because an empty slot must never look like a match.
 */
export function matchSlots(view: Int32Array, at: number, pattern: number): number {
  const a = view[at]! ^ pattern;
  const b = view[at + 1]! ^ pattern;
  const c = view[at + 2]! ^ pattern;
  const d = view[at + 3]! ^ pattern;
  // In each byte, the top bit remains 0 exactly where the byte is 0.
  const aDiffers = ((a & LOW_BITS) + LOW_BITS) | a | LOW_BITS;
  const bDiffers = ((b & LOW_BITS) + LOW_BITS) | b | LOW_BITS;
  const cDiffers = ((c & LOW_BITS) + LOW_BITS) | c | LOW_BITS;
  const dDiffers = ((d & LOW_BITS) + LOW_BITS) | d | LOW_BITS;
  return (~aDiffers >>> 7) | (~bDiffers >>> 6) | (~cDiffers >>> 5) |
    ((~dDiffers >>> 4) & LAST_TAGS);
}

/** Whether a search that comes to this bucket goes on to the next one. */
export function hasPassed(view: Int32Array, at: number): boolean {
  return view[at + PASSED]! >>> 16 !== 0;
}

/** Number of a slot in the set, which is not empty; `slots & (slots - 1)` is the set without it. */
export function firstSlot(slots: number): number {
  const bit = 31 - Math.clz32(slots & -slots);
  return ((bit & 3) << 2) | (bit >>> 3);
}

/**
 * Puts an address into the shard, which must have an empty slot, and its hint. Returns the word the
 * address went to.
 */
export function placeAddress(
  view: Int32Array,
  base: number,
  hash: number,
  address: number,
  hint: number,
): number {
  const pattern = tagPattern(hash);
  let bucket = hash & BUCKET_MASK;
  for (let i = 0; i < BUCKETS; i++) {
    const at = base + (bucket << BUCKET_SHIFT);
    const empty = matchSlots(view, at, 0);
    if (empty !== 0) {
      const slot = firstSlot(empty);
      const word = at + ADDRESSES + slot;
      view[word] = address;
      view[word + HINT] = hint;
      view[at + (slot >>> 2)]! |= pattern & (0xff << ((slot & 3) << 3));
      return word;
    }
    view[at + PASSED]! += PASSED_ONE;
    bucket = (bucket + 1) & BUCKET_MASK;
  }
  assert(false, "a shard is not filled beyond its slots");
}

/** Returns the word that holds `address`, or -1. */
export function findAddress(
  view: Int32Array,
  base: number,
  hash: number,
  address: number,
): number {
  const pattern = tagPattern(hash);
  let bucket = hash & BUCKET_MASK;
  for (let i = 0; i < BUCKETS; i++) {
    const at = base + (bucket << BUCKET_SHIFT);
    let slots = matchSlots(view, at, pattern);
    while (slots !== 0) {
      const word = at + ADDRESSES + firstSlot(slots);
      if (view[word] === address) return word;
      slots &= slots - 1;
    }
    if (!hasPassed(view, at)) return -1;
    bucket = (bucket + 1) & BUCKET_MASK;
  }
  return -1;
}

/** Empties the slot whose address {@link findAddress} found at `word`. */
export function clearAddress(view: Int32Array, base: number, hash: number, word: number): void {
  const bucket = (word - base) >> BUCKET_SHIFT;
  const at = base + (bucket << BUCKET_SHIFT);
  const slot = word - at - ADDRESSES;
  assert(slot >= 0 && slot < SLOTS_PER_BUCKET, "the word is a slot's");
  const group = at + (slot >> 2);
  view[group] = view[group]! & ~(0xff << ((slot & 3) << 3));
  view[word] = 0;
  view[word + HINT] = 0;
  let passed = hash & BUCKET_MASK;
  while (passed !== bucket) {
    view[base + (passed << BUCKET_SHIFT) + PASSED]! -= PASSED_ONE;
    passed = (passed + 1) & BUCKET_MASK;
  }
}
