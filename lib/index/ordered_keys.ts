/**
 * Record addresses in the byte order of their keys: leaves of up to 512 addresses, and a sorted
 * array of the leaves. A leaf holds nothing but addresses; comparisons read the keys in the arena.
 *
 * Both levels are found by binary search. The array of leaves is short (a thousandth of the keys or
 * so), and moving its end by one is a copy of a few kilobytes once in hundreds of insertions.
 */

import { assert } from "../assert.ts";
import { PAGE_WORDS, type PagePool, SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import { compareKeys, keyLengthAt, keyStartAt, writeKey } from "./record_layout.ts";

/** Addresses in a full leaf. */
const LEAF_LENGTH = 512;
/** A leaf below this length is merged with a neighbour if both together leave some room. */
const LEAF_LENGTH_MIN = 128;
const LEAF_LENGTH_MERGED_MAX = 384;

assert(PAGE_WORDS % LEAF_LENGTH === 0, "leaves fill a page");

/** Addresses by key. The caller sees to it that records outlive their place in here. */
export class OrderedKeys {
  readonly #pool: PagePool;
  readonly #slabs: Int32Array[];

  // The leaves in order: address and length of each.
  #leaves = new Int32Array(64);
  #lengths = new Int32Array(64);
  #leafCount = 0;
  readonly #freeLeaves: number[] = [];

  // The key being looked for, as words like those of a record.
  #wanted = new Int32Array(64);
  #wantedLength = 0;

  // Where it was found, or belongs: set by #seek.
  #leaf = 0;
  #slot = 0;
  #isPresent = false;

  /** Creates an empty order over the records in the pages of `pool`. */
  constructor(pool: PagePool) {
    this.#pool = pool;
    this.#slabs = pool.slabs;
  }

  /** Adds a record whose key is absent. */
  insert(address: number): void {
    this.#wantKeyOf(address);
    this.#seek();
    assert(!this.#isPresent, "a key is in the order once");
    if (this.#leafCount === 0) {
      this.#addLeaf(0);
    } else if (this.#lengths[this.#leaf] === LEAF_LENGTH) {
      this.#splitLeaf();
    }
    const leaf = this.#leaves[this.#leaf]!;
    const view = this.#slabs[leaf >>> SLAB_SHIFT]!;
    const first = leaf & SLAB_MASK;
    const length = this.#lengths[this.#leaf]!;
    const word = first + this.#slot;
    if (this.#slot < length) view.copyWithin(word + 1, word, first + length);
    view[word] = address;
    this.#lengths[this.#leaf] = length + 1;
  }

  /** Removes a record. */
  remove(address: number): void {
    const word = this.#wordOf(address);
    const leaf = this.#leaves[this.#leaf]!;
    const length = this.#lengths[this.#leaf]! - 1;
    const view = this.#slabs[leaf >>> SLAB_SHIFT]!;
    view.copyWithin(word, word + 1, (leaf & SLAB_MASK) + length + 1);
    this.#lengths[this.#leaf] = length;
    if (length < LEAF_LENGTH_MIN) this.#mergeLeaf(this.#leaf);
  }

  /** Lets the place of a record hold a copy of it. */
  replace(address: number, addressNew: number): void {
    const word = this.#wordOf(address);
    const leaf = this.#leaves[this.#leaf]!;
    this.#slabs[leaf >>> SLAB_SHIFT]![word] = addressNew;
  }

  /**
   * Writes to `out` the records from `lower` to `upper`, at most `limit`, in order or in reverse
   * order. Returns how many.
   */
  collect(
    lower: Uint8Array | undefined,
    lowerInclusive: boolean,
    upper: Uint8Array | undefined,
    upperInclusive: boolean,
    reverse: boolean,
    limit: number,
    out: Uint32Array,
  ): number {
    const countMax = Math.min(limit, out.length);
    if (lower === undefined) this.#seekEnd(0);
    else this.#seekBound(lower, !lowerInclusive);
    let leaf = this.#leaf;
    let slot = this.#slot;
    if (upper === undefined) this.#seekEnd(this.#leafCount);
    else this.#seekBound(upper, upperInclusive);
    let leafEnd = this.#leaf;
    let slotEnd = this.#slot;
    let count = 0;
    while (count < countMax && (leaf < leafEnd || (leaf === leafEnd && slot < slotEnd))) {
      if (!reverse) {
        if (slot < this.#lengths[leaf]!) {
          out[count++] = this.#addressAt(leaf, slot++);
        } else {
          leaf++;
          slot = 0;
        }
      } else if (slotEnd > 0) {
        out[count++] = this.#addressAt(leafEnd, --slotEnd);
      } else {
        leafEnd--;
        slotEnd = this.#lengths[leafEnd]!;
      }
    }
    return count;
  }

  /** Bytes of bookkeeping beside the pages. */
  bookkeepingBytes(): number {
    return this.#leaves.byteLength + this.#lengths.byteLength + this.#wanted.byteLength;
  }

  #addressAt(leaf: number, slot: number): number {
    const address = this.#leaves[leaf]!;
    return this.#slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + slot]!;
  }

  /** Returns the word that holds the address, in its leaf's slab. */
  #wordOf(address: number): number {
    this.#wantKeyOf(address);
    this.#seek();
    assert(
      this.#isPresent && this.#addressAt(this.#leaf, this.#slot) === address,
      "the order holds the address of each of its keys",
    );
    return (this.#leaves[this.#leaf]! & SLAB_MASK) + this.#slot;
  }

  #wantKeyOf(address: number): void {
    const view = this.#slabs[address >>> SLAB_SHIFT]!;
    const at = address & SLAB_MASK;
    const length = keyLengthAt(view, at);
    const words = this.#wantLength(length);
    const start = keyStartAt(view, at);
    for (let i = 0; i < words; i++) this.#wanted[i] = view[start + i]!;
  }

  #wantLength(length: number): number {
    const words = (length + 3) >>> 2;
    // A bound of a range may be longer than any key.
    if (words > this.#wanted.length) this.#wanted = new Int32Array(words * 2);
    this.#wantedLength = length;
    return words;
  }

  /** Sign of the key at a place compared with the wanted one. */
  #compare(leaf: number, slot: number): number {
    const address = this.#addressAt(leaf, slot);
    const view = this.#slabs[address >>> SLAB_SHIFT]!;
    const at = address & SLAB_MASK;
    return compareKeys(
      view,
      keyStartAt(view, at),
      keyLengthAt(view, at),
      this.#wanted,
      0,
      this.#wantedLength,
    );
  }

  /** Finds the wanted key, or the place it would have: the last leaf that begins no later. */
  #seek(): void {
    let leaf = 0;
    let leafEnd = this.#leafCount;
    this.#isPresent = false;
    while (leafEnd - leaf > 1) {
      const middle = (leaf + leafEnd) >>> 1;
      if (this.#compare(middle, 0) <= 0) leaf = middle;
      else leafEnd = middle;
    }
    let slot = 0;
    let slotEnd = this.#leafCount === 0 ? 0 : this.#lengths[leaf]!;
    while (slot < slotEnd) {
      const middle = (slot + slotEnd) >>> 1;
      const order = this.#compare(leaf, middle);
      if (order < 0) {
        slot = middle + 1;
      } else {
        slotEnd = middle;
        if (order === 0) {
          slot = middle;
          this.#isPresent = true;
        }
      }
    }
    this.#leaf = leaf;
    this.#slot = slot;
  }

  /** Finds the first place at or after a bound; after it, if `isAfter`. */
  #seekBound(bound: Uint8Array, isAfter: boolean): void {
    this.#wantLength(bound.length);
    writeKey(this.#wanted, 0, bound, 0, bound.length);
    this.#seek();
    if (this.#isPresent && isAfter) this.#slot++;
  }

  #seekEnd(leaf: number): void {
    this.#leaf = leaf;
    this.#slot = 0;
  }

  /** Makes room in the leaf found by #seek, and sets the place again. */
  #splitLeaf(): void {
    const index = this.#leaf;
    // Keys that arrive in ascending order fill their leaves; others leave both halves some room.
    const isAppend = this.#slot === LEAF_LENGTH && index === this.#leafCount - 1;
    const kept = isAppend ? LEAF_LENGTH : LEAF_LENGTH >>> 1;
    this.#addLeaf(index + 1);
    this.#copyAddresses(index, kept, index + 1, 0, LEAF_LENGTH - kept);
    this.#lengths[index] = kept;
    this.#lengths[index + 1] = LEAF_LENGTH - kept;
    if (this.#slot > kept || isAppend) {
      this.#leaf = index + 1;
      this.#slot -= kept;
    }
  }

  /** Merges a leaf that has become short with a neighbour, if they fit; drops an empty one. */
  #mergeLeaf(index: number): void {
    const length = this.#lengths[index]!;
    if (length === 0) {
      this.#dropLeaf(index);
      return;
    }
    for (let left = index; left >= index - 1; left--) {
      if (left < 0 || left + 1 >= this.#leafCount) continue;
      const leftLength = this.#lengths[left]!;
      const rightLength = this.#lengths[left + 1]!;
      if (leftLength + rightLength > LEAF_LENGTH_MERGED_MAX) continue;
      this.#copyAddresses(left + 1, 0, left, leftLength, rightLength);
      this.#lengths[left] = leftLength + rightLength;
      this.#dropLeaf(left + 1);
      return;
    }
  }

  #copyAddresses(from: number, fromSlot: number, to: number, toSlot: number, count: number): void {
    const source = this.#leaves[from]!;
    const target = this.#leaves[to]!;
    const sourceView = this.#slabs[source >>> SLAB_SHIFT]!;
    const targetView = this.#slabs[target >>> SLAB_SHIFT]!;
    const sourceStart = (source & SLAB_MASK) + fromSlot;
    const targetStart = (target & SLAB_MASK) + toSlot;
    for (let i = 0; i < count; i++) targetView[targetStart + i] = sourceView[sourceStart + i]!;
  }

  #addLeaf(index: number): void {
    if (this.#leafCount === this.#leaves.length) {
      const leaves = new Int32Array(this.#leafCount * 2);
      const lengths = new Int32Array(this.#leafCount * 2);
      leaves.set(this.#leaves);
      lengths.set(this.#lengths);
      this.#leaves = leaves;
      this.#lengths = lengths;
    }
    this.#leaves.copyWithin(index + 1, index, this.#leafCount);
    this.#lengths.copyWithin(index + 1, index, this.#leafCount);
    this.#leaves[index] = this.#allocateLeaf();
    this.#lengths[index] = 0;
    this.#leafCount++;
  }

  #dropLeaf(index: number): void {
    this.#freeLeaves.push(this.#leaves[index]!);
    this.#leaves.copyWithin(index, index + 1, this.#leafCount);
    this.#lengths.copyWithin(index, index + 1, this.#leafCount);
    this.#leafCount--;
  }

  #allocateLeaf(): number {
    if (this.#freeLeaves.length === 0) {
      const page = this.#pool.allocate();
      for (let word = PAGE_WORDS - LEAF_LENGTH; word >= 0; word -= LEAF_LENGTH) {
        this.#freeLeaves.push((page + word) | 0);
      }
    }
    return this.#freeLeaves.pop()!;
  }
}
