/**
 * Looks keys up in an index that another thread is changing, without a lock and without asking it.
 *
 * The protocol is in hash_directory.ts. Whatever is read between the two looks at the sequences may
 * be rubbish: a page that is being filled anew, an address that was never one. So nothing here
 * believes a number before it was compared with its limits. Reading beyond the end of a slab gives
 * `undefined`, which equals no key; and no walk is longer than what there can be.
 */

import { DIRECTORY_DEPTH, DIRECTORY_ENTRIES, DIRECTORY_SEQUENCE } from "./hash_directory.ts";
import {
  ADDRESSES,
  BUCKET_MASK,
  BUCKET_SHIFT,
  BUCKETS,
  firstSlot,
  hasPassed,
  HINT,
  matchSlots,
  tagPattern,
} from "./hash_shard.ts";
import { type FrameMemory, NO_HINT } from "./frame_hint.ts";
import { hashKey } from "./key_hash.ts";
import { noIndex, Patience } from "./patience.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import {
  CRC,
  expiresAtAt,
  FILE_ID,
  FRAME_LENGTH,
  HASH,
  keyEquals,
  lsnAt,
  OFFSET,
  OFFSET_MASK,
} from "./record_layout.ts";
import { loadAfterReads } from "../sequence.ts";
import { SHARD_NEXT, SHARD_PAGE, SHARD_SEQUENCE, SHARD_SHIFT, SHARDS_MAX } from "./shard_table.ts";
import type { SharedIndex } from "./shared_index.ts";
import { SlabGrowth } from "./slab_growth.ts";

/** The memory of an index as a reader looks at it. */
export interface IndexViews {
  hashSeed: number;
  directory: Int32Array;
  shards: Int32Array;
  /** The slab of this number; undefined if there is none yet. */
  slab: (number: number) => Int32Array | undefined;
}

/** Looks at the index of another thread. */
export function viewsOf(memory: SharedIndex): IndexViews {
  const slabs: (Int32Array | undefined)[] = memory.slabs.map((slab) => new Int32Array(slab));
  const growth = new SlabGrowth(memory.growth);
  return {
    hashSeed: memory.hashSeed,
    directory: new Int32Array(memory.directory),
    shards: new Int32Array(memory.shards),
    slab: (number) => slabs[number] ??= growth.find(number),
  };
}

/** How one attempt at a search ended. */
const ABSENT = 0;
const FOUND = 1;
/** The index changed meanwhile: nothing that was read counts. */
const CHANGED = 2;
/** Something was read that no index holds, except in the midst of a change. */
const IMPOSSIBLE = 3;

/** Looks up keys. What {@link IndexReader.find} has found stands in the fields. */
export class IndexReader {
  /** The file that holds the record's frame. */
  fileId = 0;
  /** Where in the file the frame begins. */
  offset = 0;
  /** Length of the frame in bytes. */
  frameLength = 0;
  /** CRC of the frame, unsigned. */
  crc = 0;
  /** LSN of the record. */
  lsn = 0;
  /** When it expires, in milliseconds since the epoch, or 0 for never. */
  expiresAt = 0;

  readonly #hashSeed: number;
  readonly #directory: Int32Array;
  readonly #shards: Int32Array;
  readonly #slab: (number: number) => Int32Array | undefined;
  /** Those looked at before. */
  readonly #slabs: (Int32Array | undefined)[] = [];
  readonly #patience = new Patience();

  /** Reads from these views. */
  constructor(views: IndexViews) {
    this.#hashSeed = views.hashSeed;
    this.#directory = views.directory;
    this.#shards = views.shards;
    this.#slab = views.slab;
  }

  /** Reads the index of another thread. */
  static of(memory: SharedIndex): IndexReader {
    return new IndexReader(viewsOf(memory));
  }

  /**
   * Finds the key in `bytes`, of `length` bytes, as of some moment during the call. Throws
   * `InvalidArgument` if the memory is no index, and `Closed` if a change of it never ends. `frames`
   * are what its frame lies in, if that is to be read next: fetching it begins meanwhile.
   */
  find(bytes: Uint8Array, length: number, frames?: FrameMemory): boolean {
    const hash = hashKey(bytes, 0, length, this.#hashSeed);
    for (let attempt = 1;; attempt++) {
      const outcome = this.#attempt(hash, bytes, length, frames);
      if (outcome === FOUND) return true;
      if (outcome === ABSENT) return false;
      if (outcome === IMPOSSIBLE) {
        throw noIndex();
      }
      this.#patience.afterAttempt(attempt);
    }
  }

  #attempt(
    hash: number,
    bytes: Uint8Array,
    length: number,
    frames: FrameMemory | undefined,
  ): number {
    const directory = this.#directory;
    const shards = this.#shards;
    const directorySequence = Atomics.load(directory, DIRECTORY_SEQUENCE);
    if ((directorySequence & 1) !== 0) return CHANGED;
    const depth = directory[DIRECTORY_DEPTH]!;
    const shard = directory[DIRECTORY_ENTRIES + (hash >>> (32 - depth))]!;
    if (!(shard >= 0 && shard < SHARDS_MAX)) {
      return Atomics.load(directory, DIRECTORY_SEQUENCE) === directorySequence
        ? IMPOSSIBLE
        : CHANGED;
    }
    const shardSequenceAt = (shard << SHARD_SHIFT) + SHARD_SEQUENCE;
    const shardSequence = Atomics.load(shards, shardSequenceAt);
    if ((shardSequence & 1) !== 0) return CHANGED;
    const outcome = this.#search(shard, hash, bytes, length, frames);
    if (loadAfterReads(shards, shardSequenceAt) !== shardSequence) return CHANGED;
    // The entry was read before the shard's sequence, whose address depends on it: a load will do.
    if (Atomics.load(directory, DIRECTORY_SEQUENCE) !== directorySequence) return CHANGED;
    return outcome;
  }

  #search(
    root: number,
    hash: number,
    bytes: Uint8Array,
    length: number,
    frames: FrameMemory | undefined,
  ): number {
    const shards = this.#shards;
    let shard = root;
    for (let count = 0; count < SHARDS_MAX; count++) {
      const outcome = this.#searchPage(
        shards[(shard << SHARD_SHIFT) + SHARD_PAGE]!,
        hash,
        bytes,
        length,
        frames,
      );
      if (outcome !== ABSENT) return outcome;
      const next = shards[(shard << SHARD_SHIFT) + SHARD_NEXT]!;
      if (next === 0) return ABSENT;
      // Each is younger than what it is chained to, so a chain has an end.
      if (!(next > shard && next < SHARDS_MAX)) return IMPOSSIBLE;
      shard = next;
    }
    return IMPOSSIBLE;
  }

  #searchPage(
    page: number,
    hash: number,
    bytes: Uint8Array,
    length: number,
    frames: FrameMemory | undefined,
  ): number {
    const view = this.#slabs[page >>> SLAB_SHIFT] ?? this.#findSlab(page >>> SLAB_SHIFT);
    if (view === undefined) return IMPOSSIBLE;
    const pattern = tagPattern(hash);
    const base = page & SLAB_MASK;
    let bucket = hash & BUCKET_MASK;
    for (let i = 0; i < BUCKETS; i++) {
      const at = base + (bucket << BUCKET_SHIFT);
      let matches = matchSlots(view, at, pattern);
      while (matches !== 0) {
        const word = at + ADDRESSES + firstSlot(matches);
        const address = view[word]!;
        // Rubbish may be followed, too: nothing that is not mapped is touched.
        if (frames !== undefined) {
          const hint = view[word + HINT]!;
          if (hint !== NO_HINT) frames.touch(hint);
        }
        const record = this.#slabs[address >>> SLAB_SHIFT] ??
          this.#findSlab(address >>> SLAB_SHIFT);
        if (record === undefined) return IMPOSSIBLE;
        const recordAt = address & SLAB_MASK;
        if (record[recordAt + HASH] === hash && keyEquals(record, recordAt, bytes, 0, length)) {
          this.#take(record, recordAt);
          return FOUND;
        }
        matches &= matches - 1;
      }
      if (!hasPassed(view, at)) return ABSENT;
      bucket = (bucket + 1) & BUCKET_MASK;
    }
    return ABSENT;
  }

  #take(record: Int32Array, at: number): void {
    this.fileId = record[at + FILE_ID]! >>> 0;
    this.offset = record[at + OFFSET]! & OFFSET_MASK;
    this.frameLength = record[at + FRAME_LENGTH]!;
    this.crc = record[at + CRC]! >>> 0;
    this.lsn = lsnAt(record, at);
    this.expiresAt = expiresAtAt(record, at);
  }

  #findSlab(number: number): Int32Array | undefined {
    const slab = this.#slab(number);
    if (slab !== undefined) this.#slabs[number] = slab;
    return slab;
  }
}
