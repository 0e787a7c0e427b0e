/**
 * How far the newest segment is durable, as other threads see it: that much of it nobody will cut off
 * any more, and nothing of the earlier ones.
 *
 *     file id     the segment that is being appended to
 *     length      bytes of it that are durable
 *
 * When a segment is begun, its length is told before its id. So a length that was read between two
 * looks at the same id is this segment's or less.
 */

const FILE_ID = 0;
const LENGTH = 1;
const WORDS = 2;

/** Whether this can be such memory; it may come from anywhere. */
export function isSharedDurable(memory: unknown): memory is SharedArrayBuffer {
  return memory instanceof SharedArrayBuffer && memory.byteLength === WORDS * 4;
}

/** The side of the thread that writes. */
export class SharedDurableWriter {
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(WORDS * 4);

  readonly #words = new Int32Array(this.memory);

  /** A segment is the newest one now; the one before is closed and as long as it will be. */
  begin(fileId: number, length: number): void {
    this.extend(length);
    Atomics.store(this.#words, FILE_ID, fileId);
  }

  /** So much of the newest segment is durable now. */
  extend(length: number): void {
    Atomics.store(this.#words, LENGTH, length);
  }
}

/** The side of a thread that reads. */
export class SharedDurableReader {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** How much of a segment in which the index names a record will stay; `size` asks for its length. */
  lengthToStay(fileId: number, size: () => number): number {
    const words = this.#words;
    if (Atomics.load(words, FILE_ID) >>> 0 !== fileId) return size();
    const length = Atomics.load(words, LENGTH);
    return Atomics.load(words, FILE_ID) >>> 0 === fileId ? length : 0;
  }
}
