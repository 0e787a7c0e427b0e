/** Dividing the records of one table of the hash index between two; see hash_shard.ts. */

import {
  ADDRESSES,
  ADDRESSES_END,
  BUCKET_MASK,
  BUCKET_SHIFT,
  BUCKETS,
  clearAddress,
  HINT,
  placeAddress,
} from "./hash_shard.ts";
import { PAGE_WORDS, SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import { HASH } from "./record_layout.ts";

/** Splits shards. */
export class ShardSplit {
  readonly #slabs: Int32Array[];
  /** Scratch: the hash of every slot's record, laid out like the page. */
  readonly #hashes = new Int32Array(PAGE_WORDS);

  /** For tables and records in `slabs`. */
  constructor(slabs: Int32Array[]) {
    this.#slabs = slabs;
  }

  /** Bytes of scratch. */
  get bytes(): number {
    return this.#hashes.byteLength;
  }

  /**
   * Moves the records whose hash has the bit `hashBit` from the table at one page to that at another,
   * which is empty, and those that had been pushed out of their bucket back towards it. Returns how
   * many went to the other one.
   */
  move(sourcePage: number, targetPage: number, hashBit: number): number {
    const sourceView = this.#slabs[sourcePage >>> SLAB_SHIFT]!;
    const targetView = this.#slabs[targetPage >>> SLAB_SHIFT]!;
    const sourceBase = sourcePage & SLAB_MASK;
    const targetBase = targetPage & SLAB_MASK;
    const hashes = this.#gatherHashes(sourceView, sourceBase);
    let movedCount = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const at = bucket << BUCKET_SHIFT;
      for (let slot = at + ADDRESSES; slot < at + ADDRESSES_END; slot++) {
        const word = sourceBase + slot;
        const address = sourceView[word]!;
        if (address === 0) continue;
        const hash = hashes[slot]!;
        const moves = ((hash >>> hashBit) & 1) === 1;
        if (!moves && (hash & BUCKET_MASK) === bucket) continue;
        const hint = sourceView[word + HINT]!;
        clearAddress(sourceView, sourceBase, hash, word);
        if (moves) {
          placeAddress(targetView, targetBase, hash, address, hint);
          movedCount++;
        } else {
          // Perhaps to a slot that is still to be visited.
          const wordNew = placeAddress(sourceView, sourceBase, hash, address, hint);
          hashes[wordNew - sourceBase] = hash;
        }
      }
    }
    return movedCount;
  }

  /**
   * Reads the hash of every record of a page. In a loop of its own, the machine waits for many of
   * these scattered reads at a time; between branches it would wait for each.
   */
  #gatherHashes(view: Int32Array, base: number): Int32Array {
    const hashes = this.#hashes;
    const slabs = this.#slabs;
    for (let bucket = 0; bucket < PAGE_WORDS; bucket += 1 << BUCKET_SHIFT) {
      for (let slot = ADDRESSES; slot < ADDRESSES_END; slot++) {
        // An empty slot has address 0, where the pool keeps a page that nobody uses.
        const address = view[base + bucket + slot]!;
        hashes[bucket + slot] = slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + HASH]!;
      }
    }
    return hashes;
  }
}
