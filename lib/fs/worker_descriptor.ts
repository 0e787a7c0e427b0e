/**
 * Descriptors that are given back when their thread ends, however it ends.
 *
 * Deno and Node see to that themselves. Bun does not: what a worker has open stays open when it is
 * terminated, for as long as the process lives, and a file that was removed keeps its room on the
 * disk. But Bun releases the memory of a thread that ends, and a buffer may say by which function of
 * the C library that is to be done. So each descriptor gets a buffer of one byte, at an address that
 * is the number of the descriptor and is never looked at, and `close` is what releases it.
 *
 * The buffers are kept until the thread ends, and a number that has one is not closed before: it
 * could be another file's by then. It is made to stand for nothing instead, and used again for the
 * next file.
 */

import * as fs from "node:fs";
import process from "node:process";
import { bunFfi, type CFunction, loadLibc } from "./bun_ffi.ts";

const O_CLOEXEC = 0o2000000;

/** The descriptors of this thread, if it is one of Bun's workers. */
class WorkerDescriptors {
  readonly #close: number;
  readonly #dup3: CFunction;
  /** What releases each number at the end. Never read, but not to be collected before. */
  readonly #buffers = new Map<number, ArrayBuffer>();
  /** Numbers that stand for nothing. */
  readonly #idle: number[] = [];
  #nothing = -1;

  private constructor(close: number, dup3: CFunction) {
    this.#close = close;
    this.#dup3 = dup3;
  }

  static load(): WorkerDescriptors | undefined {
    const { Bun: bun } = globalThis as { Bun?: { isMainThread?: boolean } };
    if (bun?.isMainThread !== false || process.platform !== "linux") return undefined;
    const libc = loadLibc({
      close: { args: ["i32"], returns: "i32" },
      dup3: { args: ["i32", "i32", "i32"], returns: "i32" },
    });
    const close = (libc?.close as { ptr?: number } | undefined)?.ptr;
    return libc === undefined || close === undefined
      ? undefined
      : new WorkerDescriptors(close, libc.dup3);
  }

  keep(fd: number): number {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      if (this.#dup3(fd, idle, O_CLOEXEC) === idle) {
        fs.closeSync(fd);
        return idle;
      }
      this.#idle.push(idle);
    }
    this.#buffers.set(fd, this.#bufferOf(fd));
    return fd;
  }

  #bufferOf(fd: number): ArrayBuffer {
    // The context is of no meaning to close, but has to be one.
    return bunFfi().toArrayBuffer(fd, 0, 1, 1, this.#close);
  }

  giveBack(fd: number): void {
    if (!this.#buffers.has(fd)) return fs.closeSync(fd);
    if (this.#nothing === -1) {
      const nothing = fs.openSync("/dev/null", "r");
      this.#buffers.set(nothing, this.#bufferOf(nothing));
      this.#nothing = nothing;
    }
    // If even that fails, it stays open until the thread ends.
    if (this.#dup3(this.#nothing, fd, O_CLOEXEC) === fd) this.#idle.push(fd);
  }
}

let descriptorsOnce: WorkerDescriptors | null | undefined;

function descriptors(): WorkerDescriptors | null {
  if (descriptorsOnce === undefined) descriptorsOnce = WorkerDescriptors.load() ?? null;
  return descriptorsOnce;
}

/** Takes a descriptor that was just opened; returns the one to be used in its place. */
export function keepDescriptor(fd: number): number {
  return descriptors()?.keep(fd) ?? fd;
}

/** Closes a descriptor that {@link keepDescriptor} has returned. */
export function closeDescriptor(fd: number): void {
  const own = descriptors();
  if (own === null) fs.closeSync(fd);
  else own.giveBack(fd);
}
