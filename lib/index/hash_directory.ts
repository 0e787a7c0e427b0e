/**
 * The hash index: a directory of shards, by extendible hashing.
 *
 * The top `depth` bits of a hash choose the entry of the directory, which names a shard. A shard
 * that fills up splits in two by one more bit of the hash, and nothing else moves; when it already
 * uses all `depth` bits, the directory doubles first. So growth never costs more than one shard at
 * a time. At the depth limit a full shard gets further pages, chained behind it: slower, but
 * correct for any set of hashes, equal ones included.
 *
 * ## Reading from another thread
 *
 * The directory and the table of shards are shared memory, like the pages. One thread writes. Each
 * shard has a sequence number that is odd while the writer changes anything of it: its slots, and
 * the records its slots name. The directory has another, odd while entries change. A reader
 *
 * 1. loads the directory's sequence (`Atomics.load`); when odd, starts over;
 * 2. reads the depth and the entry, which names the shard, and loads the shard's sequence; when
 *    odd, starts over;
 * 3. searches the shard, and its chain, and copies what it needs out of the record;
 * 4. loads both sequences again; when either has changed, starts over. On machines that reorder
 *    reads (ARM) it takes `Atomics.add(sequences, i, 0)` for this: a plain atomic load lets the
 *    reads of 3 sink below it.
 *
 * What it read in 3 may be anything until 4 says otherwise: pages are reused. So it must bound its
 * walk (at most 2048 buckets a page), keep within the slab when following an address or a length,
 * and tell a slab that it does not know from one that does not exist. A record's position in the
 * expiry queue is changed outside this protocol and means nothing to a reader. The writer's own
 * thread reads without any of this.
 */

import { assert } from "../assert.ts";
import type { FrameMemory } from "./frame_hint.ts";
import { type IndexImageReader, type IndexImageWriter, readWords } from "./index_image.ts";
import type { PagePool } from "./page_pool.ts";
import { ShardTable, SPLIT_COUNT_MAX } from "./shard_table.ts";

/** Bits of the hash the directory can use at most: 65,536 shards. */
export const DEPTH_MAX = 16;

// Words of the directory: a header, then the entries.
const SEQUENCE = 0;
const DEPTH = 1;
const ENTRIES = 2;

export { DEPTH as DIRECTORY_DEPTH, ENTRIES as DIRECTORY_ENTRIES, SEQUENCE as DIRECTORY_SEQUENCE };

/** Finds records by hash and key. */
export class HashDirectory {
  // Of the greatest size from the start, so that it never has to move.
  readonly #directory = new Int32Array(new SharedArrayBuffer((ENTRIES + (1 << DEPTH_MAX)) * 4));
  readonly #shards: ShardTable;
  /** Bits of the hash that all of a shard's records share, by shard. */
  #shardDepths = new Uint8Array(64);
  #depth = 1;
  /** Shifts a hash right so that the directory's bits remain; never 32, which would shift by 0. */
  #shift = 31;

  /** Creates an index of one shard, with pages from `pool`. */
  constructor(pool: PagePool) {
    this.#shards = new ShardTable(pool);
    this.#directory[DEPTH] = this.#depth;
    const shard = this.#shards.add();
    assert(shard === 0, "all entries name the first shard");
  }

  /**
   * Returns the address of the record with this key, or 0. What it may be is fetched from `frames`
   * meanwhile.
   */
  find(
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    frames?: FrameMemory,
  ): number {
    return this.#shards.find(this.#shardOf(hash), hash, bytes, start, length, frames);
  }

  /**
   * Reads what searches for these hashes begin with, so that the processor has it at hand. It waits
   * for many such reads at a time, but between the steps of a search for each. Returns a number that
   * means nothing but must be kept, or compilers leave all of this out.
   */
  touch(hashes: Int32Array, start: number, end: number, arePresent: boolean): number {
    let words = 0;
    for (let i = start; i < end; i++) {
      const hash = hashes[i]!;
      words ^= this.#shards.touch(this.#shardOf(hash), hash);
    }
    if (!arePresent) return words;
    for (let i = start; i < end; i++) {
      const hash = hashes[i]!;
      words ^= this.#shards.touchRecord(this.#shardOf(hash), hash);
    }
    return words;
  }

  /**
   * Splits all shards that will have split when there are `count` records: the fewer are in them now,
   * the less there is to move. It costs no memory that they would not have taken by then.
   */
  reserve(count: number): void {
    let depth = 0;
    while (depth < DEPTH_MAX && count > SPLIT_COUNT_MAX * 2 ** depth) depth++;
    for (let slice = 0; slice < 1 << DEPTH_MAX; slice = this.sliceAfter(slice)) {
      const shard = this.#shardOfSlice(slice);
      while (this.#shardDepths[shard]! < depth) this.#split(shard, slice << (32 - DEPTH_MAX));
    }
  }

  /** Adds the address of a record whose key is absent, and the hint for its frame. */
  insert(hash: number, address: number, hint: number): void {
    const shard = this.#shardOf(hash);
    if (this.#shards.isFull(shard)) this.#split(shard, hash);
    this.#shards.insert(this.#shardOf(hash), hash, address, hint);
  }

  /** Removes an address. */
  remove(hash: number, address: number): void {
    this.#shards.remove(this.#shardOf(hash), hash, address);
  }

  /** Lets the slot that names `address` name `addressNew`, a copy of the same record. */
  replace(hash: number, address: number, addressNew: number): void {
    this.#shards.replace(this.#shardOf(hash), hash, address, addressNew);
  }

  /** Notes where the frame of the record at `address` lies now. */
  setHint(hash: number, address: number, hint: number): void {
    this.#shards.setHint(this.#shardOf(hash), hash, address, hint);
  }

  /** Opens a change to a record of this hash, for readers on other threads. Returns the shard. */
  beginChange(hash: number): number {
    const shard = this.#shardOf(hash);
    this.#shards.beginChange(shard);
    return shard;
  }

  /** Closes what {@link HashDirectory.beginChange} opened. */
  endChange(shard: number): void {
    this.#shards.endChange(shard);
  }

  /**
   * The hash space is cut into 65,536 slices by the top 16 bits. Returns the first slice after the
   * shard that holds `slice`, given that `slice` is the first one of a shard. As shards only split,
   * it remains the first one of a shard for good.
   */
  sliceAfter(slice: number): number {
    const shard = this.#shardOfSlice(slice);
    return slice + (1 << (DEPTH_MAX - this.#shardDepths[shard]!));
  }

  /** Calls `visit` with every address of the shard that holds `slice`. It must not change any. */
  visitShard(slice: number, visit: (address: number) => void): void {
    this.#shards.visit(this.#shardOfSlice(slice), visit);
  }

  /** The same, only for records whose hash chooses `bucket`. */
  visitBucket(slice: number, bucket: number, visit: (address: number) => void): void {
    this.#shards.visitBucket(this.#shardOfSlice(slice), bucket, visit);
  }

  /** The pages of all shards. */
  pages(): number[] {
    return this.#shards.pages();
  }

  /** Writes everything but the pages themselves. */
  save(image: IndexImageWriter): void {
    this.#shards.save(image);
    image.words(Int32Array.from(this.#shardDepths.subarray(0, this.#shards.count)));
    image.words(Int32Array.of(this.#depth));
    image.words(this.#directory.subarray(ENTRIES, ENTRIES + (1 << this.#depth)));
  }

  /** Becomes the directory that was saved. */
  load(image: IndexImageReader): void {
    this.#shards.load(image);
    const { count } = this.#shards;
    this.#shardDepths = Uint8Array.from(readWords(image, count));
    const [depth] = readWords(image, 1);
    image.expect(depth! >= 1 && depth! <= DEPTH_MAX, "its depth is impossible");
    this.#depth = depth!;
    this.#shift = 32 - depth!;
    const entries = this.#directory.subarray(ENTRIES, ENTRIES + (1 << depth!));
    image.words(entries);
    const isSound = entries.every((shard) => shard >= 0 && shard < count);
    image.expect(isSound, "it names a shard that does not exist");
    this.#directory[DEPTH] = depth!;
  }

  /** The memory of the directory and of the table of shards. */
  share(): { directory: SharedArrayBuffer; shards: SharedArrayBuffer } {
    return { directory: this.#directory.buffer, shards: this.#shards.share() };
  }

  /** Bytes of bookkeeping in use beside the pages. */
  bookkeepingBytes(): number {
    return (ENTRIES + (1 << this.#depth)) * 4 + this.#shardDepths.byteLength +
      this.#shards.bookkeepingBytes();
  }

  #shardOf(hash: number): number {
    return this.#directory[ENTRIES + (hash >>> this.#shift)]!;
  }

  #shardOfSlice(slice: number): number {
    assert(slice >= 0 && slice < 1 << DEPTH_MAX, "the slice is of the hash space");
    return this.#directory[ENTRIES + (slice >>> (DEPTH_MAX - this.#depth))]!;
  }

  /** Splits the shard of `hash`, unless it uses all bits there are. */
  #split(shard: number, hash: number): void {
    const depth = this.#shardDepths[shard]!;
    if (depth === DEPTH_MAX) return;
    const added = this.#addShard(depth + 1);
    this.#shards.beginChange(shard);
    Atomics.add(this.#directory, SEQUENCE, 1);
    if (depth === this.#depth) this.#doubleDirectory();
    this.#shardDepths[shard] = depth + 1;
    // The shard's entries are those whose upper `depth` bits are those of the hash; the upper half
    // of them goes to the new shard. A shift by 32 would be one by 0, hence two shifts.
    const entriesHalf = 1 << (this.#depth - depth - 1);
    const entry = (((hash >>> 1) >>> (31 - depth)) * 2 + 1) * entriesHalf;
    this.#directory.fill(added, ENTRIES + entry, ENTRIES + entry + entriesHalf);
    this.#shards.moveRecords(shard, added, 31 - depth);
    Atomics.add(this.#directory, SEQUENCE, 1);
    this.#shards.endChange(shard);
  }

  #doubleDirectory(): void {
    assert(this.#depth < DEPTH_MAX, "the directory has room for its greatest depth");
    const directory = this.#directory;
    for (let entry = (1 << this.#depth) - 1; entry >= 0; entry--) {
      const shard = directory[ENTRIES + entry]!;
      directory[ENTRIES + entry * 2] = shard;
      directory[ENTRIES + entry * 2 + 1] = shard;
    }
    this.#depth++;
    this.#shift--;
    directory[DEPTH] = this.#depth;
  }

  #addShard(depth: number): number {
    const shard = this.#shards.add();
    if (shard >= this.#shardDepths.length) {
      const depths = new Uint8Array(Math.max(64, shard * 2));
      depths.set(this.#shardDepths);
      this.#shardDepths = depths;
    }
    this.#shardDepths[shard] = depth;
    return shard;
  }
}
