/** What one thread gives another so that it can read the index, and whether something can be that. */

import { DEPTH_MAX, DIRECTORY_ENTRIES } from "./hash_directory.ts";
import { SLAB_BYTES, SlabGrowth, type SlabGrowthMemory, SLABS_MAX } from "./slab_growth.ts";
import { PAGE_BYTES } from "./page_pool.ts";
import { SHARD_SHIFT, SHARDS_MAX } from "./shard_table.ts";

/** Changes with every change of what an `IndexReader` relies on. */
export const SHARED_INDEX_LAYOUT = 2;

/** The memory of an index, as it is when it is shared and as it will grow. */
export interface SharedIndex {
  hashSeed: number;
  directory: SharedArrayBuffer;
  shards: SharedArrayBuffer;
  /** Slabs that were there before the index was shared. */
  slabs: SharedArrayBuffer[];
  /** Where further ones come to be. */
  growth: SlabGrowthMemory;
}

/** Whether this can be the memory of an index. What it holds is another matter. */
export function isSharedIndex(memory: unknown): memory is SharedIndex {
  if (typeof memory !== "object" || memory === null) return false;
  const { hashSeed, directory, shards, slabs, growth } = memory as Partial<SharedIndex>;
  return Number.isInteger(hashSeed) &&
    hasLength(directory, (DIRECTORY_ENTRIES + (1 << DEPTH_MAX)) * 4) &&
    hasLength(shards, (SHARDS_MAX << SHARD_SHIFT) * 4) &&
    Array.isArray(slabs) && slabs.length > 0 && slabs.length <= SLABS_MAX &&
    slabs.every((slab) =>
      slab instanceof SharedArrayBuffer && slab.byteLength % PAGE_BYTES === 0 &&
      slab.byteLength <= SLAB_BYTES
    ) &&
    SlabGrowth.isSound(growth) && growth.firstSlab === slabs.length;
}

function hasLength(memory: unknown, byteLength: number): boolean {
  return memory instanceof SharedArrayBuffer && memory.byteLength === byteLength;
}
