/**
 * The end of the log that is not in a file yet, as other threads see it.
 *
 * With durability { bytes, millis } a record is visible, and acknowledged, while it is still in the
 * writer's buffer alone. While somebody shares the store, the writer therefore keeps a copy of the
 * buffer in shared memory. A place in the log is either in the copy or in the file:
 *
 *     sequence    odd while the next two change
 *     file id     the segment that is being appended to
 *     start       offset in that segment of the first byte of the copy; all before it is in the file
 *
 * The writer moves the start only after the bytes before it were written to the file, and reuses the
 * memory only after that. So a reader that copies a frame and then finds the sequence unchanged has
 * the frame. Appending changes nothing that a reader may be looking at, and needs no sequence: the
 * index tells of a frame only when it is there.
 *
 * A frame that does not fit is hidden: the writer has to write it out at once, and readers wait.
 */

import { loadAfterReads } from "../sequence.ts";

/** At least as long as the writer's buffer is, unless a record is longer. */
const TAIL_BYTES = 1 << 20;

const SEQUENCE = 0;
const FILE_ID = 1;
const START = 2;
const CONTROL_WORDS = 4;
/** A sequence is odd for the time of two stores. */
const ATTEMPTS_MAX = 1000;

/** The shared memory of a tail. */
export interface SharedTailMemory {
  control: SharedArrayBuffer;
  bytes: SharedArrayBuffer;
}

/** Whether this can be such memory; it may come from anywhere. */
export function isSharedTail(memory: unknown): memory is SharedTailMemory {
  if (typeof memory !== "object" || memory === null) return false;
  const { control, bytes } = memory as Partial<SharedTailMemory>;
  return control instanceof SharedArrayBuffer && control.byteLength === CONTROL_WORDS * 4 &&
    bytes instanceof SharedArrayBuffer && bytes.byteLength === TAIL_BYTES;
}

/** The side of the thread that writes. */
export class SharedTailWriter {
  readonly memory: SharedTailMemory;
  /** Whether something was appended that did not fit. */
  hides = false;

  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;

  constructor() {
    this.memory = {
      control: new SharedArrayBuffer(CONTROL_WORDS * 4),
      bytes: new SharedArrayBuffer(TAIL_BYTES),
    };
    this.#control = new Int32Array(this.memory.control);
    this.#bytes = new Uint8Array(this.memory.bytes);
  }

  /** Takes bytes of the writer's buffer that were appended at `at` in it. */
  append(buffer: Uint8Array, at: number, length: number): void {
    if (at + length > TAIL_BYTES) this.hides = true;
    else this.#bytes.set(buffer.subarray(at, at + length), at);
  }

  /** Everything before `start` of this segment, and all earlier segments, are in their files now. */
  moveTo(fileId: number, start: number): void {
    const control = this.#control;
    Atomics.add(control, SEQUENCE, 1);
    control[FILE_ID] = fileId;
    control[START] = start;
    Atomics.add(control, SEQUENCE, 1);
    this.hides = false;
  }
}

/** The bytes are in the file. */
export const IN_FILE = 0;
/** The bytes were copied. */
export const IN_TAIL = 1;
/** The bytes are about to be written to the file, or their place to be told: to be tried again. */
export const HIDDEN = 2;

/** The side of a thread that reads. */
export class SharedTailReader {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedTailMemory) {
    this.#control = new Int32Array(memory.control);
    this.#bytes = new Uint8Array(memory.bytes);
  }

  /**
   * Copies `length` bytes at `offset` of a segment to the beginning of what `allocate` returns for
   * them, if they are here; else says where they are.
   */
  copy(
    fileId: number,
    offset: number,
    length: number,
    allocate: (length: number) => Uint8Array,
  ): number {
    const control = this.#control;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const sequence = Atomics.load(control, SEQUENCE);
      if ((sequence & 1) !== 0) continue;
      const at = offset - control[START]!;
      let where = IN_FILE;
      if (control[FILE_ID]! >>> 0 === fileId && at >= 0) {
        if (at + length > TAIL_BYTES) where = HIDDEN;
        else {
          where = IN_TAIL;
          allocate(length).set(this.#bytes.subarray(at, at + length));
        }
      }
      if (loadAfterReads(control, SEQUENCE) === sequence) return where;
    }
    return HIDDEN;
  }
}
