/**
 * Lets a scanner, which reads a file blocking, go through it without waiting for the disk: a window
 * of the file is in memory, and whoever drives the scanner moves it along in time, without blocking.
 */

import { type Readable, readFullyAsync } from "../fs/whole_file.ts";
import type { PinnedFile } from "./pinned_file.ts";

/** The window is read on by so much at a time. */
const PIECE_BYTES = 1 << 20;
/** It is moved as soon as less is left of it: a scanner's buffer, and a record beside. */
const AHEAD_BYTES = 512 << 10;

/** How much a scanner that works on a window reads at a time: a copy of some ten microseconds. */
export const WINDOW_READ_BYTES = 128 << 10;

/** A file that does not change, of which a part is in memory. */
export class ReadWindow implements Readable {
  #source: PinnedFile;
  #end: number;
  #bytes: Uint8Array;
  /** Offset in the file of the window's first byte, and how many it holds. */
  #start = 0;
  #length = 0;

  /** A window of the first `end` bytes of a file, empty at first. */
  constructor(source: PinnedFile, end: number) {
    this.#source = source;
    this.#end = end;
    this.#bytes = new Uint8Array(Math.min(end, PIECE_BYTES + AHEAD_BYTES));
  }

  /** Whether it is time for {@link moveTo} `offset`, behind which a scanner is about to read. */
  isShortAt(offset: number): boolean {
    const windowEnd = this.#start + this.#length;
    return windowEnd < this.#end && windowEnd - offset < AHEAD_BYTES;
  }

  /** Lets the window begin at `offset`. The file is open meanwhile, even if its owner closes it. */
  async moveTo(offset: number): Promise<void> {
    const windowEnd = this.#start + this.#length;
    const kept = Math.max(0, windowEnd - offset);
    this.#bytes.copyWithin(0, this.#length - kept, this.#length);
    this.#start = offset;
    this.#length = kept;
    const wanted = Math.min(this.#bytes.length - kept, this.#end - offset - kept);
    this.#source.pin();
    try {
      const { file } = this.#source;
      const count = await readFullyAsync(file, this.#bytes, kept, wanted, offset + kept);
      this.#length += count;
      // The file is shorter than it was: the scanner will say so.
      if (count < wanted) this.#end = offset + kept + count;
    } finally {
      this.#source.unpin();
    }
  }

  /** What a scanner calls; what is not in the window, as of a long record, it waits for. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const at = position - this.#start;
    const count = Math.min(length, this.#length - at);
    if (at < 0 || count <= 0) return this.#source.file.read(buffer, offset, length, position);
    buffer.set(this.#bytes.subarray(at, at + count), offset);
    return count;
  }
}
