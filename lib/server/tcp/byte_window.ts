/**
 * Bytes that have come and were not consumed yet, in one piece. As a rule that is the chunk that came
 * last, as it is. Only when a command is spread over several chunks are they put together, in memory
 * that grows with what has come and never ahead of it by more than a factor.
 */

const EMPTY = new Uint8Array(0);
const CAPACITY_MIN = 4096;
/** Memory may be so many times what has come. At 4, a long value is copied 1 1/3 times in all. */
const GROWTH = 4;

/** A window onto the bytes from a client. */
export class ByteWindow {
  /** The bytes; those from {@link start} to {@link end} count. */
  bytes: Uint8Array = EMPTY;
  /** Where the unconsumed bytes begin. */
  start = 0;
  /** Where they end. */
  end = 0;
  /** Whether {@link bytes} are memory of our own. */
  #isOwn = false;

  /** Bytes not consumed. */
  get length(): number {
    return this.end - this.start;
  }

  /** Bytes of memory of its own. */
  get held(): number {
    return this.bytes.length;
  }

  /**
   * Appends a chunk. `lengthExpected` is how many bytes the command that has begun is known to have,
   * or 0: memory does not grow beyond that without need.
   */
  append(chunk: Uint8Array, lengthExpected: number): void {
    const { length } = this;
    if (length === 0) {
      this.bytes = chunk;
      this.start = 0;
      this.end = chunk.length;
      this.#isOwn = false;
      return;
    }
    if (!this.#isOwn || this.end + chunk.length > this.bytes.length) {
      this.#makeRoom(length + chunk.length, lengthExpected);
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** The next `count` bytes are dealt with. */
  consume(count: number): void {
    this.start += count;
    // Nobody knows when the next ones come: until then, no memory is kept.
    if (this.start === this.end) this.clear();
  }

  /** Lets go of a long chunk of which only a little is left. */
  compact(): void {
    const { length } = this;
    if (this.bytes.length <= CAPACITY_MIN || length > this.bytes.length / GROWTH) return;
    const { bytes, start, end } = this;
    this.bytes = new Uint8Array(Math.max(2 * length, CAPACITY_MIN));
    this.bytes.set(bytes.subarray(start, end));
    this.start = 0;
    this.end = length;
    this.#isOwn = true;
  }

  /** Forgets everything. */
  clear(): void {
    this.bytes = EMPTY;
    this.start = 0;
    this.end = 0;
    this.#isOwn = false;
  }

  #makeRoom(needed: number, lengthExpected: number): void {
    const { bytes, start, end } = this;
    if (this.#isOwn && needed <= bytes.length / 2) {
      bytes.copyWithin(0, start, end);
    } else {
      const capacity = lengthExpected > needed
        ? Math.min(lengthExpected, GROWTH * needed)
        : 2 * needed;
      this.bytes = new Uint8Array(Math.max(capacity, CAPACITY_MIN));
      this.bytes.set(bytes.subarray(start, end));
      this.#isOwn = true;
    }
    this.start = 0;
    this.end = end - start;
  }
}
