/**
 * Goes through all keys of an index that another thread is changing.
 *
 * The hash space is cut into cells: by the upper bits, as the directory has them at the beginning, and
 * by the bucket. A key's cell never changes, whatever splits meanwhile. Each cell is read as of some
 * moment, by the protocol of hash_directory.ts. So a key that exists throughout is seen exactly once.
 */

import { DIRECTORY_DEPTH, DIRECTORY_ENTRIES, DIRECTORY_SEQUENCE } from "./hash_directory.ts";
import {
  ADDRESSES,
  ADDRESSES_END,
  BUCKET_MASK,
  BUCKET_SHIFT,
  BUCKETS,
  hasPassed,
} from "./hash_shard.ts";
import type { IndexViews } from "./index_reader.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import { noIndex, Patience } from "./patience.ts";
import { HASH, keyLengthAt, readKey } from "./record_layout.ts";
import { loadAfterReads } from "../sequence.ts";
import { SHARD_NEXT, SHARD_PAGE, SHARD_SEQUENCE, SHARD_SHIFT, SHARDS_MAX } from "./shard_table.ts";

const DONE = 0;
const CHANGED = 1;
const IMPOSSIBLE = 2;
const DEPTH_LIMIT = 16;

/** One walk through all keys. */
export class IndexWalk {
  readonly #views: IndexViews;
  readonly #patience = new Patience();
  /** The keys of the cell that is being read. */
  #keys: Uint8Array[] = [];

  constructor(views: IndexViews) {
    this.#views = views;
  }

  /** Yields the keys, a cell at a time; most cells have several, some have none. */
  *cells(): Generator<readonly Uint8Array[], void> {
    const depth = this.#views.directory[DIRECTORY_DEPTH]!;
    if (!(depth >= 1 && depth <= DEPTH_LIMIT)) throw noIndex();
    for (let upper = 0; upper < 1 << depth; upper++) {
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        yield this.cell(depth, upper, bucket);
      }
    }
  }

  /** The keys of one cell, as of one moment; the directory has been at least so deep. */
  cell(depth: number, upper: number, bucket: number): readonly Uint8Array[] {
    for (let attempt = 1;; attempt++) {
      this.#keys = [];
      const outcome = this.#attempt(depth, upper, bucket);
      if (outcome === DONE) return this.#keys;
      if (outcome === IMPOSSIBLE) throw noIndex();
      this.#patience.afterAttempt(attempt);
    }
  }

  #attempt(depth: number, upper: number, bucket: number): number {
    const { directory } = this.#views;
    const sequence = Atomics.load(directory, DIRECTORY_SEQUENCE);
    if ((sequence & 1) !== 0) return CHANGED;
    const outcome = this.#readShards(depth, upper, bucket, directory[DIRECTORY_DEPTH]!);
    if (loadAfterReads(directory, DIRECTORY_SEQUENCE) !== sequence) return CHANGED;
    return outcome;
  }

  /** Reads the cell in all shards that its upper bits lead to; they are neighbours. */
  #readShards(depth: number, upper: number, bucket: number, depthNow: number): number {
    const { directory, shards } = this.#views;
    if (!(depthNow >= depth && depthNow <= DEPTH_LIMIT)) return IMPOSSIBLE;
    const extra = depthNow - depth;
    let shardBefore = -1;
    for (let entry = upper << extra; entry < (upper + 1) << extra; entry++) {
      const shard = directory[DIRECTORY_ENTRIES + entry]!;
      if (shard === shardBefore) continue;
      shardBefore = shard;
      if (!(shard >= 0 && shard < SHARDS_MAX)) return IMPOSSIBLE;
      const sequenceAt = (shard << SHARD_SHIFT) + SHARD_SEQUENCE;
      const sequence = Atomics.load(shards, sequenceAt);
      if ((sequence & 1) !== 0) return CHANGED;
      const outcome = this.#readChain(shard, depth, upper, bucket);
      if (loadAfterReads(shards, sequenceAt) !== sequence) return CHANGED;
      if (outcome !== DONE) return outcome;
    }
    return DONE;
  }

  #readChain(root: number, depth: number, upper: number, bucket: number): number {
    const { shards } = this.#views;
    let shard = root;
    for (let count = 0; count < SHARDS_MAX; count++) {
      const page = shards[(shard << SHARD_SHIFT) + SHARD_PAGE]!;
      const outcome = this.#readPage(page, depth, upper, bucket);
      if (outcome !== DONE) return outcome;
      const next = shards[(shard << SHARD_SHIFT) + SHARD_NEXT]!;
      if (next === 0) return DONE;
      // Each is younger than what it is chained to, so a chain has an end.
      if (!(next > shard && next < SHARDS_MAX)) return IMPOSSIBLE;
      shard = next;
    }
    return IMPOSSIBLE;
  }

  #readPage(page: number, depth: number, upper: number, bucket: number): number {
    const view = this.#views.slab(page >>> SLAB_SHIFT);
    if (view === undefined) return IMPOSSIBLE;
    for (let i = 0; i < BUCKETS; i++) {
      const at = (page & SLAB_MASK) + (((bucket + i) & BUCKET_MASK) << BUCKET_SHIFT);
      for (let word = at + ADDRESSES; word < at + ADDRESSES_END; word++) {
        const address = view[word]!;
        if (address === 0 || address === undefined) continue;
        const record = this.#views.slab(address >>> SLAB_SHIFT);
        if (record === undefined) return IMPOSSIBLE;
        const recordAt = address & SLAB_MASK;
        const hash = record[recordAt + HASH]!;
        if ((hash & BUCKET_MASK) !== bucket || hash >>> (32 - depth) !== upper) continue;
        const key = new Uint8Array(keyLengthAt(record, recordAt));
        readKey(record, recordAt, key, 0);
        this.#keys.push(key);
      }
      if (!hasPassed(view, at)) return DONE;
    }
    return DONE;
  }
}
