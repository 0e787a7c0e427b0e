/**
 * Memory in large pages, where the system has them to give.
 *
 * Looking something up in gigabytes of memory takes about as long to find out where a page is as to
 * fetch what is in it. With pages of 2 MiB the processor knows where most are. But the first touch
 * of such a page takes the system from a quarter of a millisecond to many, since it has to come by
 * 2 MiB and clear them, and whoever touches waits. So a thread of the runtime's pool does: it reads
 * one byte of a file, which is not 0, into each of them.
 *
 * What must stay true: while such a read is under way nobody else uses the memory, because the byte
 * lands in it. That it is over is seen in the byte itself, which was 0, so that a loop that never
 * returns to the event loop can see it, too. All this is a matter of speed: whatever is in the way
 * of it, the memory is what it is without.
 */

import { closeSync, openSync, read } from "node:fs";
import process from "node:process";
import { bunFfi, type CFunction, loadLibc } from "./bun_ffi.ts";
import { isBunWorker } from "./thread_owned.ts";

const LARGE_PAGE_BYTES = 2 << 20;
const MADV_HUGEPAGE = 14;
/** A file that every Linux has, and that begins with a letter. */
const SOURCE = "/proc/version";

let madviseOnce: CFunction | null | undefined;

/** Makes memory that nobody has used yet a memory of large pages, one after the other. */
export class LargePages {
  readonly #bytes: Uint8Array;
  readonly #source: string;
  /** Where the page begins that is being touched, and where the last one ends. */
  #at: number;
  readonly #end: number;
  #isReady = false;

  private constructor(bytes: Uint8Array, at: number, end: number, source: string) {
    this.#bytes = bytes;
    this.#source = source;
    this.#at = at;
    this.#end = end;
    this.#touch();
  }

  /**
   * Begins with shared memory that holds nothing but zeros. Undefined where nothing can be done: Bun
   * can do it, on Linux, for what has room for a large page. `source` is read from.
   */
  static prepare(memory: Int32Array, source: string = SOURCE): LargePages | undefined {
    if (madviseOnce === undefined) madviseOnce = loadMadvise() ?? null;
    if (madviseOnce === null || memory.byteLength < LARGE_PAGE_BYTES) return undefined;
    const begin = bunFfi().ptr(memory);
    // Only what is whole: the rest of the pages at both ends is somebody else's.
    const first = Math.ceil(begin / LARGE_PAGE_BYTES) * LARGE_PAGE_BYTES;
    const end = Math.floor((begin + memory.byteLength) / LARGE_PAGE_BYTES) * LARGE_PAGE_BYTES;
    if (end <= first || madviseOnce(first, end - first, MADV_HUGEPAGE) !== 0) return undefined;
    const bytes = new Uint8Array(memory.buffer, memory.byteOffset, memory.byteLength);
    return new LargePages(bytes, first - begin, end - begin, source);
  }

  /**
   * Whether the memory may be used. The next page is only begun when this is asked: one at a time,
   * so that what else waits for a thread of the pool gets one.
   */
  isReady(): boolean {
    while (!this.#isReady && Atomics.load(this.#bytes, this.#at) !== 0) {
      this.#bytes[this.#at] = 0;
      this.#at += LARGE_PAGE_BYTES;
      if (this.#at >= this.#end) this.#isReady = true;
      else this.#touch();
    }
    return this.#isReady;
  }

  /** Has the pool write one byte to the page. */
  #touch(): void {
    let source: number;
    try {
      source = openSync(this.#source, "r");
    } catch {
      this.#isReady = true;
      return;
    }
    read(source, this.#bytes, this.#at, 1, 0, (error, count) => {
      closeSync(source);
      // Then nothing was written, nor will be: the memory is left as it is.
      if (error !== null || count !== 1) this.#isReady = true;
    });
  }
}

function loadMadvise(): CFunction | undefined {
  if (!("Bun" in globalThis) || process.platform !== "linux") return undefined;
  // A worker that is terminated gives its memory back, even while something is read into it.
  if (isBunWorker()) return undefined;
  return loadLibc({ madvise: { args: ["usize", "usize", "i32"], returns: "i32" } })?.madvise;
}
