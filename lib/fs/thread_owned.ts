/**
 * What the C library has given to a thread of Bun's, and takes back when the thread ends, however it
 * ends.
 *
 * Deno and Node see to that themselves. Bun does not: what a worker has open or mapped stays so when
 * it is terminated, for as long as the process lives, and a file that was removed keeps its room on
 * the disk. But Bun releases the memory of a thread that ends, and a buffer may say by which function
 * of the C library that is to be done. So each such thing gets a buffer of one byte, which nobody
 * looks at, and what takes the thing back is what releases the buffer.
 *
 * A buffer is released exactly once. So nothing is ever taken back twice, when it could be somebody
 * else's by then, whichever comes first: that it is told so, or the end of the thread.
 */

import { bunFfi } from "./bun_ffi.ts";

/** Lets go of its memory at once when it is transferred to a buffer of another length. */
type Buffer = ArrayBuffer & { transfer(length: number): ArrayBuffer };

/** Whether this thread is one of Bun's workers, and its buffers can do that. */
export function isBunWorker(): boolean {
  const { Bun: bun } = globalThis as { Bun?: { isMainThread?: boolean } };
  return bun?.isMainThread === false && "transfer" in ArrayBuffer.prototype;
}

/** Something that is taken back, once. Not to be collected before: that would take it back, too. */
export class ThreadOwned {
  readonly #buffer: Buffer;

  /** `release` is the address of a function that takes back `thing`, given also `context`. */
  constructor(thing: number, context: number, release: number) {
    this.#buffer = bunFfi().toArrayBuffer(thing, 0, 1, context, release) as Buffer;
  }

  /** Takes it back now. */
  release(): void {
    this.#buffer.transfer(0);
  }
}
