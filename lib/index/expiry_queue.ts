/**
 * Records in the order of their expiry: a heap of four children a node, in chunks.
 *
 * Every record with an expiry knows its position in the heap (see record_layout.ts), so that an
 * overwritten or deleted one is taken out at once. The heap never holds anything stale, and never
 * needs to be cleaned up in one long pause. It grows by a chunk at a time for the same reason.
 */

import { assert } from "../assert.ts";
import { type IndexImageReader, type IndexImageWriter, readWords } from "./index_image.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import { EXPIRY_POSITION } from "./record_layout.ts";

const CHUNK_SHIFT = 12;
const CHUNK_LENGTH = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_LENGTH - 1;
const CHUNK_BYTES = CHUNK_LENGTH * (8 + 4);

/** A queue of record addresses by expiry. */
export class ExpiryQueue {
  /** Records queued. */
  size = 0;

  readonly #slabs: Int32Array[];
  readonly #times: Float64Array[] = [];
  readonly #addresses: Int32Array[] = [];

  /** Creates an empty queue of records in `slabs`. */
  constructor(slabs: Int32Array[]) {
    this.#slabs = slabs;
  }

  /** Returns the record that expires first, or 0. */
  firstAddress(): number {
    return this.size === 0 ? 0 : this.#addresses[0]![0]!;
  }

  /** Returns the earliest expiry, or Infinity. */
  firstTime(): number {
    return this.size === 0 ? Infinity : this.#times[0]![0]!;
  }

  /** Adds a record, and notes its position in it. */
  add(address: number, expiresAt: number): void {
    const position = this.size;
    if (position >>> CHUNK_SHIFT === this.#times.length) {
      this.#times.push(new Float64Array(CHUNK_LENGTH));
      this.#addresses.push(new Int32Array(CHUNK_LENGTH));
    }
    this.size++;
    this.#moveUp(position, address, expiresAt);
  }

  /** Takes out the record at a position. */
  removeAt(position: number): void {
    assert(position < this.size, "a position in the queue is below its size");
    const last = --this.size;
    const address = this.#addresses[last >>> CHUNK_SHIFT]![last & CHUNK_MASK]!;
    const time = this.#times[last >>> CHUNK_SHIFT]![last & CHUNK_MASK]!;
    if (position !== last) this.#moveFrom(position, address, time);
    // One chunk is kept in reserve, so that a size around a boundary does not allocate each time.
    if (this.#times.length > (last >>> CHUNK_SHIFT) + 2) {
      this.#times.pop();
      this.#addresses.pop();
    }
  }

  /** Gives the record at a position another expiry. */
  setTime(position: number, expiresAt: number): void {
    assert(position < this.size, "a position in the queue is below its size");
    this.#moveFrom(position, this.addressAt(position), expiresAt);
  }

  /** Lets a position name a copy of the same record, which holds the position already. */
  replaceAddress(position: number, address: number): void {
    assert(position < this.size, "a position in the queue is below its size");
    this.#addresses[position >>> CHUNK_SHIFT]![position & CHUNK_MASK] = address;
  }

  /** The record at a position. */
  addressAt(position: number): number {
    return this.#addresses[position >>> CHUNK_SHIFT]![position & CHUNK_MASK]!;
  }

  /** Writes the queue. */
  save(image: IndexImageWriter): void {
    image.words(Int32Array.of(this.size));
    for (let chunk = 0; chunk << CHUNK_SHIFT < this.size; chunk++) {
      image.words(new Int32Array(this.#times[chunk]!.buffer));
      image.words(this.#addresses[chunk]!);
    }
  }

  /** Becomes the queue that was saved; the records know their positions already. */
  load(image: IndexImageReader): void {
    const [size] = readWords(image, 1);
    image.expect(size! >= 0, "its number of expiring keys is impossible");
    this.size = size!;
    this.#times.length = 0;
    this.#addresses.length = 0;
    for (let chunk = 0; chunk << CHUNK_SHIFT < size!; chunk++) {
      const times = new Float64Array(CHUNK_LENGTH);
      image.words(new Int32Array(times.buffer));
      this.#times.push(times);
      this.#addresses.push(readWords(image, CHUNK_LENGTH));
    }
  }

  /** Bytes held. */
  bytes(): number {
    return this.#times.length * CHUNK_BYTES;
  }

  #timeAt(position: number): number {
    return this.#times[position >>> CHUNK_SHIFT]![position & CHUNK_MASK]!;
  }

  #moveFrom(position: number, address: number, time: number): void {
    if (position > 0 && time < this.#timeAt((position - 1) >>> 2)) {
      this.#moveUp(position, address, time);
    } else {
      this.#moveDown(position, address, time);
    }
  }

  #moveUp(from: number, address: number, time: number): void {
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >>> 2;
      const parentTime = this.#timeAt(parent);
      if (parentTime <= time) break;
      this.#put(position, this.addressAt(parent), parentTime);
      position = parent;
    }
    this.#put(position, address, time);
  }

  #moveDown(from: number, address: number, time: number): void {
    let position = from;
    for (;;) {
      const childFirst = position * 4 + 1;
      if (childFirst >= this.size) break;
      const childEnd = Math.min(childFirst + 4, this.size);
      let child = childFirst;
      let childTime = this.#timeAt(childFirst);
      for (let other = childFirst + 1; other < childEnd; other++) {
        const otherTime = this.#timeAt(other);
        if (otherTime < childTime) {
          child = other;
          childTime = otherTime;
        }
      }
      if (time <= childTime) break;
      this.#put(position, this.addressAt(child), childTime);
      position = child;
    }
    this.#put(position, address, time);
  }

  #put(position: number, address: number, time: number): void {
    this.#times[position >>> CHUNK_SHIFT]![position & CHUNK_MASK] = time;
    this.#addresses[position >>> CHUNK_SHIFT]![position & CHUNK_MASK] = address;
    this.#slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + EXPIRY_POSITION] = position;
  }
}
