/**
 * Puts all records into the order of their keys, a few at a time, while records come and go.
 *
 * The records are taken in an order that depends on nothing but their hashes: by slice of the hash
 * space (see hash_directory.ts), and within the slices of one shard by bucket. So the hash of any
 * record tells whether it has been taken, no matter how shards split or records move in between.
 * What has been taken must be kept exact by whoever changes the index; the rest will be found.
 */

import { DEPTH_MAX, type HashDirectory } from "./hash_directory.ts";
import { BUCKET_MASK, BUCKETS } from "./hash_shard.ts";
import { sortByKey } from "./key_sort.ts";
import type { OrderedKeys } from "./ordered_keys.ts";

const SLICES = 1 << DEPTH_MAX;
const SLICE_SHIFT = 32 - DEPTH_MAX;

/** The progress of building the order. */
export class OrderBuild {
  readonly #slabs: Int32Array[];
  readonly #directory: HashDirectory;
  readonly #order: OrderedKeys;

  // Taken: the slices before #slice, and of those before #sliceEnd the buckets before #bucket.
  #slice = 0;
  #sliceEnd = 0;
  #bucket = 0;

  #gathered = new Int32Array(256);
  #gatheredCount = 0;
  readonly #gather = (address: number): void => {
    if (this.#gatheredCount === this.#gathered.length) {
      const gathered = new Int32Array(this.#gatheredCount * 2);
      gathered.set(this.#gathered);
      this.#gathered = gathered;
    }
    this.#gathered[this.#gatheredCount++] = address;
  };

  /** Begins to put the records of `directory` into `order`. */
  constructor(slabs: Int32Array[], directory: HashDirectory, order: OrderedKeys) {
    this.#slabs = slabs;
    this.#directory = directory;
    this.#order = order;
    this.#sliceEnd = directory.sliceAfter(0);
  }

  /** Whether all records have been taken. */
  get isDone(): boolean {
    return this.#slice === SLICES;
  }

  /** Whether a record of this hash belongs to those that have been taken. */
  covers(hash: number): boolean {
    const slice = hash >>> SLICE_SHIFT;
    return slice < this.#slice || (slice < this.#sliceEnd && (hash & BUCKET_MASK) < this.#bucket);
  }

  /**
   * Takes further records: `maxRecords`, give or take those of a bucket, and fewer where buckets
   * are nearly empty. Returns `isDone`.
   */
  advance(maxRecords: number): boolean {
    this.#gatheredCount = 0;
    let bucketCount = 0;
    while (!this.isDone && this.#gatheredCount + bucketCount++ < maxRecords) {
      // Several shards when the one that was begun has split since.
      let slice = this.#slice;
      while (slice < this.#sliceEnd) {
        this.#directory.visitBucket(slice, this.#bucket, this.#gather);
        slice = this.#directory.sliceAfter(slice);
      }
      if (++this.#bucket === BUCKETS) this.#nextSlice();
    }
    const scratch = new Int32Array(this.#gatheredCount);
    const sorted = sortByKey(this.#slabs, this.#gathered, scratch, this.#gatheredCount);
    for (let i = 0; i < this.#gatheredCount; i++) this.#order.insert(sorted[i]!);
    if (this.isDone) this.#gathered = new Int32Array(0);
    return this.isDone;
  }

  #nextSlice(): void {
    this.#bucket = 0;
    this.#slice = this.#sliceEnd;
    if (!this.isDone) this.#sliceEnd = this.#directory.sliceAfter(this.#slice);
  }
}
