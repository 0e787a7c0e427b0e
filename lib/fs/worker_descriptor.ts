/**
 * Descriptors that are closed when their thread ends, however it ends; see thread_owned.ts.
 *
 * A number is never closed but by what owns it, once: so none is that has become another file's.
 */

import * as fs from "node:fs";
import process from "node:process";
import { loadLibc } from "./bun_ffi.ts";
import { isBunWorker, ThreadOwned } from "./thread_owned.ts";

/** A context is of no meaning to close, but has to be one. */
const NO_CONTEXT = 1;

/** The descriptors of this thread, if it is one of Bun's workers. */
class WorkerDescriptors {
  readonly #close: number;
  readonly #owned = new Map<number, ThreadOwned>();

  private constructor(close: number) {
    this.#close = close;
  }

  static load(): WorkerDescriptors | undefined {
    if (!isBunWorker() || process.platform === "win32") return undefined;
    const libc = loadLibc({ close: { args: ["i32"], returns: "i32" } });
    const close = (libc?.close as { ptr?: number } | undefined)?.ptr;
    return close === undefined ? undefined : new WorkerDescriptors(close);
  }

  keep(fd: number): void {
    // No memory is at address 0, so no buffer can stand for that one.
    if (fd !== 0) this.#owned.set(fd, new ThreadOwned(fd, NO_CONTEXT, this.#close));
  }

  giveBack(fd: number): void {
    const owned = this.#owned.get(fd);
    if (owned === undefined) return fs.closeSync(fd);
    this.#owned.delete(fd);
    owned.release();
  }
}

let descriptorsOnce: WorkerDescriptors | null | undefined;

function descriptors(): WorkerDescriptors | null {
  if (descriptorsOnce === undefined) descriptorsOnce = WorkerDescriptors.load() ?? null;
  return descriptorsOnce;
}

/** Takes a descriptor that was just opened, and returns it. */
export function keepDescriptor(fd: number): number {
  descriptors()?.keep(fd);
  return fd;
}

/** Closes a descriptor that {@link keepDescriptor} has returned. */
export function closeDescriptor(fd: number): void {
  const own = descriptors();
  if (own === null) fs.closeSync(fd);
  else own.giveBack(fd);
}
