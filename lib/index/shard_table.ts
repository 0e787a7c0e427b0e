/**
 * The shards of the hash index by number: where the page of each is, what it is chained to, how
 * many records it has, and the sequence number by which readers on other threads notice changes.
 *
 * The table is shared memory; hash_directory.ts says how another thread reads it. Operations on a
 * shard take its number from the directory and follow its chain, which only shards have that cannot
 * split any more.
 */

import { assert } from "../assert.ts";
import {
  ADDRESSES,
  ADDRESSES_END,
  BUCKET_MASK,
  BUCKET_SHIFT,
  BUCKETS,
  clearAddress,
  findAddress,
  firstSlot,
  hasPassed,
  HINT,
  matchSlots,
  placeAddress,
  SLOTS,
  tagPattern,
} from "./hash_shard.ts";
import { type FrameMemory, NO_HINT } from "./frame_hint.ts";
import { type IndexImageReader, type IndexImageWriter, readWords } from "./index_image.ts";
import { ShardSplit } from "./shard_split.ts";
import { PAGE_WORDS, type PagePool, SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import { HASH, keyEquals } from "./record_layout.ts";

// Words of a shard in the table.
const SHARD_SHIFT = 2;
const SEQUENCE = 0;
const PAGE = 1;
const NEXT = 2;
const COUNT = 3;

// As many as there are pages, so that the table never has to move. Untouched, it costs nothing.
const SHARDS_MAX = 1 << 17;

export { NEXT as SHARD_NEXT, PAGE as SHARD_PAGE, SEQUENCE as SHARD_SEQUENCE };
export { SHARD_SHIFT, SHARDS_MAX };

/** Records at which a shard splits: from 0.74 to 0.86 of its slots, by shard number. */
const SPLIT_COUNT_MIN = Math.floor(SLOTS * 0.74);
const SPLIT_COUNT_SPREAD = Math.floor(SLOTS * 0.12);
/** Records at which a shard that cannot split is chained: probes grow long beyond this. */
const CHAIN_COUNT = Math.floor(SLOTS * 0.9);

/** More records than this are in no shard that can split. */
export const SPLIT_COUNT_MAX = SPLIT_COUNT_MIN + SPLIT_COUNT_SPREAD;

assert(SPLIT_COUNT_MAX < CHAIN_COUNT, "splitting comes before chaining");

/** All shards. */
export class ShardTable {
  readonly #pool: PagePool;
  readonly #slabs: Int32Array[];
  readonly #shards = new Int32Array(new SharedArrayBuffer((SHARDS_MAX << SHARD_SHIFT) * 4));
  #shardCount = 0;
  /** Where {@link #seek} ended. */
  #soughtView: Int32Array;
  #soughtShard = 0;
  readonly #split: ShardSplit;

  /** Creates a table without shards, which will take their pages from `pool`. */
  constructor(pool: PagePool) {
    this.#pool = pool;
    this.#slabs = pool.slabs;
    this.#split = new ShardSplit(pool.slabs);
    this.#soughtView = pool.slabs[0]!;
  }

  /** Adds an empty shard and returns its number; the first one is 0. */
  add(): number {
    const shard = this.#shardCount;
    assert(shard < SHARDS_MAX, "there are fewer shards than pages");
    const page = this.#pool.allocate();
    const base = page & SLAB_MASK;
    this.#slabs[page >>> SLAB_SHIFT]!.fill(0, base, base + PAGE_WORDS);
    this.#shards[(shard << SHARD_SHIFT) + PAGE] = page;
    this.#shardCount++;
    return shard;
  }

  /** Whether a shard has reached the count at which it should split. */
  isFull(shard: number): boolean {
    // Differs from shard to shard, so that not all of them split at the same time.
    const extra = ((Math.imul(shard, 0x9e3779b1) >>> 16) * SPLIT_COUNT_SPREAD) >>> 16;
    // The first splits of a process run in code that no compiler has seen yet, many times slower.
    // They come early, while there is little to move.
    const earlyShift = this.#shardCount >= 4 ? 0 : this.#shardCount >= 2 ? 1 : 2;
    const count = this.#shards[(shard << SHARD_SHIFT) + COUNT]!;
    return count >= (SPLIT_COUNT_MIN + extra) >>> earlyShift;
  }

  /**
   * Opens a change to a shard. An atomic addition rather than a store: on weakly ordered machines,
   * too, what follows this one and what precedes the closing one must not be seen beyond it.
   */
  beginChange(shard: number): void {
    Atomics.add(this.#shards, (shard << SHARD_SHIFT) + SEQUENCE, 1);
  }

  /** Closes what {@link ShardTable.beginChange} opened. */
  endChange(shard: number): void {
    Atomics.add(this.#shards, (shard << SHARD_SHIFT) + SEQUENCE, 1);
  }

  /**
   * Returns the address of the record with this key, or 0. What it may be is fetched from `frames`
   * meanwhile.
   */
  find(
    root: number,
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    frames?: FrameMemory,
  ): number {
    const shards = this.#shards;
    const pattern = tagPattern(hash);
    let shard = root;
    do {
      const page = shards[(shard << SHARD_SHIFT) + PAGE]!;
      const address = this.#findInPage(page, pattern, hash, bytes, start, length, frames);
      if (address !== 0) return address;
      shard = shards[(shard << SHARD_SHIFT) + NEXT]!;
    } while (shard !== 0);
    return 0;
  }

  /** Reads the bucket that a search for this hash begins with. Returns nothing of meaning. */
  touch(root: number, hash: number): number {
    const page = this.#shards[(root << SHARD_SHIFT) + PAGE]!;
    const at = (page & SLAB_MASK) + ((hash & BUCKET_MASK) << BUCKET_SHIFT);
    return this.#slabs[page >>> SLAB_SHIFT]![at]!;
  }

  /**
   * Reads the beginning of the record that a search for this hash looks at first, if its bucket is
   * there by now. Returns nothing of meaning.
   */
  touchRecord(root: number, hash: number): number {
    const page = this.#shards[(root << SHARD_SHIFT) + PAGE]!;
    const view = this.#slabs[page >>> SLAB_SHIFT]!;
    const at = (page & SLAB_MASK) + ((hash & BUCKET_MASK) << BUCKET_SHIFT);
    const matches = matchSlots(view, at, tagPattern(hash));
    if (matches === 0) return 0;
    const address = view[at + ADDRESSES + firstSlot(matches)]!;
    return this.#slabs[address >>> SLAB_SHIFT]![address & SLAB_MASK]!;
  }

  /** Adds the address of a record whose key is absent, and the hint for its frame. */
  insert(root: number, hash: number, address: number, hint: number): void {
    this.beginChange(root);
    const shard = this.#shardWithRoom(root);
    const page = this.#shards[(shard << SHARD_SHIFT) + PAGE]!;
    this.#shards[(shard << SHARD_SHIFT) + COUNT]!++;
    placeAddress(this.#slabs[page >>> SLAB_SHIFT]!, page & SLAB_MASK, hash, address, hint);
    this.endChange(root);
  }

  /** Removes an address. */
  remove(root: number, hash: number, address: number): void {
    const word = this.#seek(root, hash, address);
    const shards = this.#shards;
    const base = shards[(this.#soughtShard << SHARD_SHIFT) + PAGE]! & SLAB_MASK;
    this.beginChange(root);
    clearAddress(this.#soughtView, base, hash, word);
    shards[(this.#soughtShard << SHARD_SHIFT) + COUNT]!--;
    this.endChange(root);
  }

  /** Lets the slot that names `address` name `addressNew`, a copy of the same record. */
  replace(root: number, hash: number, address: number, addressNew: number): void {
    const word = this.#seek(root, hash, address);
    this.beginChange(root);
    this.#soughtView[word] = addressNew;
    this.endChange(root);
  }

  /** Notes where the frame of the record at `address` lies now; outside the protocol for readers. */
  setHint(root: number, hash: number, address: number, hint: number): void {
    const word = this.#seek(root, hash, address);
    this.#soughtView[word + HINT] = hint;
  }

  /** Calls `visit` with every address of a shard. It must not change any. */
  visit(root: number, visit: (address: number) => void): void {
    let shard = root;
    do {
      const page = this.#shards[(shard << SHARD_SHIFT) + PAGE]!;
      const view = this.#slabs[page >>> SLAB_SHIFT]!;
      const end = (page & SLAB_MASK) + PAGE_WORDS;
      for (let at = page & SLAB_MASK; at < end; at += 1 << BUCKET_SHIFT) {
        for (let word = at + ADDRESSES; word < at + ADDRESSES_END; word++) {
          const address = view[word]!;
          if (address !== 0) visit(address);
        }
      }
      shard = this.#shards[(shard << SHARD_SHIFT) + NEXT]!;
    } while (shard !== 0);
  }

  /**
   * Calls `visit` with every address of a shard whose record's hash chooses `bucket`, wherever it
   * ended up.
   */
  visitBucket(root: number, bucket: number, visit: (address: number) => void): void {
    let shard = root;
    do {
      const page = this.#shards[(shard << SHARD_SHIFT) + PAGE]!;
      const view = this.#slabs[page >>> SLAB_SHIFT]!;
      let at = (page & SLAB_MASK) + (bucket << BUCKET_SHIFT);
      for (let i = 1; i <= BUCKETS; i++) {
        for (let word = at + ADDRESSES; word < at + ADDRESSES_END; word++) {
          const address = view[word]!;
          if (address !== 0 && (this.#hashOf(address) & BUCKET_MASK) === bucket) visit(address);
        }
        if (!hasPassed(view, at)) break;
        at = (page & SLAB_MASK) + (((bucket + i) & BUCKET_MASK) << BUCKET_SHIFT);
      }
      shard = this.#shards[(shard << SHARD_SHIFT) + NEXT]!;
    } while (shard !== 0);
  }

  /**
   * Moves the records whose hash has the bit `hashBit` from one shard to another, empty one, and
   * those that had been pushed out of their bucket back towards it.
   */
  moveRecords(source: number, target: number, hashBit: number): void {
    const shards = this.#shards;
    if (shards[(source << SHARD_SHIFT) + COUNT] === 0) return;
    const sourcePage = shards[(source << SHARD_SHIFT) + PAGE]!;
    const targetPage = shards[(target << SHARD_SHIFT) + PAGE]!;
    const movedCount = this.#split.move(sourcePage, targetPage, hashBit);
    shards[(source << SHARD_SHIFT) + COUNT]! -= movedCount;
    shards[(target << SHARD_SHIFT) + COUNT]! += movedCount;
  }

  /** The pages of all shards. */
  pages(): number[] {
    const pages: number[] = [];
    for (let shard = 0; shard < this.#shardCount; shard++) {
      pages.push(this.#shards[(shard << SHARD_SHIFT) + PAGE]!);
    }
    return pages;
  }

  /** Writes everything but the pages themselves. */
  save(image: IndexImageWriter): void {
    image.words(Int32Array.of(this.#shardCount));
    image.words(this.#shards.subarray(0, this.#shardCount << SHARD_SHIFT));
  }

  /** Becomes the table that was saved. */
  load(image: IndexImageReader): void {
    const [count] = readWords(image, 1);
    image.expect(count! > 0 && count! <= SHARDS_MAX, "its number of shards is impossible");
    this.#shardCount = count!;
    const words = this.#shards.subarray(0, count! << SHARD_SHIFT);
    image.words(words);
    for (let at = 0; at < words.length; at += 1 << SHARD_SHIFT) {
      const isSound = words[at + NEXT]! >= 0 && words[at + NEXT]! < count!;
      image.expect(isSound, "it names a shard that does not exist");
      words[at + SEQUENCE] = 0;
    }
  }

  /** The memory of the table. */
  share(): SharedArrayBuffer {
    return this.#shards.buffer;
  }

  /** How many shards there are. */
  get count(): number {
    return this.#shardCount;
  }

  /** Bytes of bookkeeping in use beside the pages. */
  bookkeepingBytes(): number {
    return (this.#shardCount << SHARD_SHIFT) * 4 + this.#split.bytes;
  }

  #findInPage(
    page: number,
    pattern: number,
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    frames: FrameMemory | undefined,
  ): number {
    const slabs = this.#slabs;
    const view = slabs[page >>> SLAB_SHIFT]!;
    const base = page & SLAB_MASK;
    let bucket = hash & BUCKET_MASK;
    for (let i = 0; i < BUCKETS; i++) {
      const at = base + (bucket << BUCKET_SHIFT);
      let matches = matchSlots(view, at, pattern);
      while (matches !== 0) {
        const word = at + ADDRESSES + firstSlot(matches);
        const address = view[word]!;
        // Before the record is looked at: the processor fetches both at the same time.
        if (frames !== undefined) {
          const hint = view[word + HINT]!;
          if (hint !== NO_HINT) frames.touch(hint);
        }
        const record = slabs[address >>> SLAB_SHIFT]!;
        const recordAt = address & SLAB_MASK;
        if (record[recordAt + HASH] === hash && keyEquals(record, recordAt, bytes, start, length)) {
          return address;
        }
        matches &= matches - 1;
      }
      if (!hasPassed(view, at)) return 0;
      bucket = (bucket + 1) & BUCKET_MASK;
    }
    return 0;
  }

  /**
   * Returns the word that holds an address, which is in the chain of `root`. The fields have where it
   * was found.
   */
  #seek(root: number, hash: number, address: number): number {
    const shards = this.#shards;
    let shard = root;
    do {
      const page = shards[(shard << SHARD_SHIFT) + PAGE]!;
      const view = this.#slabs[page >>> SLAB_SHIFT]!;
      const word = findAddress(view, page & SLAB_MASK, hash, address);
      if (word >= 0) {
        this.#soughtView = view;
        this.#soughtShard = shard;
        return word;
      }
      shard = shards[(shard << SHARD_SHIFT) + NEXT]!;
    } while (shard !== 0);
    assert(false, "an address that is asked for is in the index");
  }

  /** Returns the first of a shard's chain that has room, and adds to the chain if none has. */
  #shardWithRoom(root: number): number {
    const shards = this.#shards;
    let shard = root;
    while (shards[(shard << SHARD_SHIFT) + COUNT]! >= CHAIN_COUNT) {
      const next = shards[(shard << SHARD_SHIFT) + NEXT]!;
      if (next !== 0) {
        shard = next;
        continue;
      }
      const added = this.add();
      shards[(shard << SHARD_SHIFT) + NEXT] = added;
      return added;
    }
    return shard;
  }

  #hashOf(address: number): number {
    return this.#slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + HASH]!;
  }
}
