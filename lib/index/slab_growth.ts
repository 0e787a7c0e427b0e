/**
 * Slabs that other threads find by themselves.
 *
 * A thread sees no shared memory but what it was given. So when an index is shared, the address
 * space for all slabs that it may yet get is reserved at once, as shared buffers that can grow, and
 * given along. To add a slab is to grow one of these buffers, and it is there for every thread: no
 * message has to arrive, and nobody has to ask. What is reserved and not yet grown costs no RAM.
 *
 * A buffer grows before an address in the new slab is published. So who finds an address in a slab
 * that is not there has read it in the midst of a change, or the memory is no index.
 */

import { assert } from "../assert.ts";

/** Bytes of a slab, as page_pool.ts has them. */
export const SLAB_BYTES = 16 << 20;
/** Slabs that addresses reach, as page_pool.ts has them. */
export const SLABS_MAX = 1024;
/** Slabs in one buffer: 1 GiB, well below what any runtime allows. */
const SLABS_PER_REGION = 64;

/** What is to be known of slabs when an index is made. */
export interface SlabOptions {
  /** Leaves lower slabs out, so that tests reach high addresses. */
  slabFirst?: number | undefined;
  /**
   * Makes a slab that nobody uses yet quicker to use, while the one before it is filled. Undefined if
   * that cannot be done, here or at all.
   */
  prepareSlab?: ((slab: Int32Array) => SlabPreparation | undefined) | undefined;
}

/** What makes a slab ready. Until it says that it is done, nobody else may use the slab. */
export interface SlabPreparation {
  /** Whether it is done; it only goes on when this is asked. */
  isReady(): boolean;
}

/** The reserved memory, as it is given to other threads. */
export interface SlabGrowthMemory {
  /** Number of the first slab that lies in here. */
  firstSlab: number;
  /** Buffers that grow, one after the other, by a slab at a time. */
  regions: SharedArrayBuffer[];
}

/** The slabs in such memory: one thread adds them, the others look for them. */
export class SlabGrowth {
  readonly memory: SlabGrowthMemory;

  /** Works with memory that {@link SlabGrowth.reserve} has made, on this thread or another. */
  constructor(memory: SlabGrowthMemory) {
    this.memory = memory;
  }

  /** Reserves room for all slabs from `firstSlab` on. */
  static reserve(firstSlab: number): SlabGrowth {
    const regions: SharedArrayBuffer[] = [];
    const maxByteLength = SLABS_PER_REGION * SLAB_BYTES;
    for (let slab = firstSlab; slab < SLABS_MAX; slab += SLABS_PER_REGION) {
      regions.push(new SharedArrayBuffer(0, { maxByteLength }));
    }
    return new SlabGrowth({ firstSlab, regions });
  }

  /** Whether this can be such memory; it may come from anywhere. */
  static isSound(memory: unknown): memory is SlabGrowthMemory {
    if (typeof memory !== "object" || memory === null) return false;
    const { firstSlab, regions } = memory as Partial<SlabGrowthMemory>;
    return Number.isInteger(firstSlab) && firstSlab! > 0 && firstSlab! <= SLABS_MAX &&
      Array.isArray(regions) &&
      regions.length === Math.ceil((SLABS_MAX - firstSlab!) / SLABS_PER_REGION) &&
      regions.every((region) =>
        region instanceof SharedArrayBuffer && region.growable &&
        region.maxByteLength === SLABS_PER_REGION * SLAB_BYTES
      );
  }

  /** Adds the slab `number`, the next one. */
  add(number: number): Int32Array {
    const { region, offset } = this.#place(number);
    assert(region !== undefined && region.byteLength === offset, "slabs are added in order");
    region.grow(offset + SLAB_BYTES);
    return new Int32Array(region, offset, SLAB_BYTES / 4);
  }

  /** The slab `number`, or undefined if it has not been added. */
  find(number: number): Int32Array | undefined {
    const { region, offset } = this.#place(number);
    if (region === undefined || region.byteLength < offset + SLAB_BYTES) return undefined;
    return new Int32Array(region, offset, SLAB_BYTES / 4);
  }

  #place(number: number): { region: SharedArrayBuffer | undefined; offset: number } {
    const slab = number - this.memory.firstSlab;
    return {
      region: this.memory.regions[Math.floor(slab / SLABS_PER_REGION)],
      offset: (slab % SLABS_PER_REGION) * SLAB_BYTES,
    };
  }
}
