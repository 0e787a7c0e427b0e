/**
 * Files as memory, so that reading a little of one takes no system call. Bun can do this, by the C
 * library; other runtimes do without.
 *
 * What must stay true: memory behind the end of a file ends the process that touches it, so no more
 * is mapped than the file has and keeps; and nobody but this class has the address, so nothing is
 * touched once it is unmapped. The memory is no ArrayBuffer either: the collector would take the
 * bytes of all files for its own.
 */

import process from "node:process";
import { assert } from "../assert.ts";
import { bunFfi, type CFunction, loadLibc } from "./bun_ffi.ts";
import type { MappedBytes } from "./file_system.ts";
import { isBunWorker, ThreadOwned } from "./thread_owned.ts";

/** What is used of the C library. */
interface Libc {
  mmap: CFunction;
  munmap: CFunction;
  madvise: CFunction;
  memcpy: (target: Uint8Array, source: number, length: number) => void;
  readByte: (address: number, offset: number) => number;
  /** The address of `munmap`, if maps are to go with the thread. */
  unmapAtEnd?: number | undefined;
}

const PROT_READ = 1;
const MAP_SHARED = 1;
const MADV_RANDOM = 1;
/** What a processor fetches at once. */
const LINE_BYTES = 64;

/** The beginning of a file as memory. */
export class MemoryMap implements MappedBytes {
  #libc: Libc;
  #address: number;
  /** Bytes that are mapped; 0 after {@link unmap}. */
  #length: number;
  /** What unmaps it, on threads that may end before the process does. */
  #owned: ThreadOwned | undefined;
  /** Nothing of meaning. */
  #touched = 0;

  private constructor(libc: Libc, address: number, length: number) {
    this.#libc = libc;
    this.#address = address;
    this.#length = length;
    if (libc.unmapAtEnd !== undefined) {
      this.#owned = new ThreadOwned(address, length, libc.unmapAtEnd);
    }
  }

  /**
   * Maps the first `length` bytes of the file with the descriptor `fd`, which has them; undefined
   * where the runtime cannot, or the system does not let it. The map outlives the descriptor.
   */
  static of(fd: number, length: number): MemoryMap | undefined {
    const libc = length === 0 ? undefined : loadFunctions();
    if (libc === undefined) return undefined;
    const address = libc.mmap(0, length, PROT_READ, MAP_SHARED, fd, 0);
    // MAP_FAILED is -1, which may come as the greatest 64-bit number.
    if (!(address > 0 && address <= Number.MAX_SAFE_INTEGER)) return undefined;
    // What lies around a record is not worth a read of the disk: as when reading without a map.
    libc.madvise(address, length, MADV_RANDOM);
    return new MemoryMap(libc, address, length);
  }

  /** Whether `length` bytes at `position` are mapped. */
  has(position: number, length: number): boolean {
    return position + length <= this.#length;
  }

  /** Copies bytes that are mapped, `length` at `position`, to the beginning of `target`. */
  copy(target: Uint8Array, length: number, position: number): void {
    assert(position >= 0 && position + length <= this.#length, "what is copied is mapped");
    assert(length <= target.length, "what is copied has room");
    this.#libc.memcpy(target, this.#address + position, length);
  }

  /** See {@link MappedBytes}. In three lines lies all of a short record, and of others the beginning. */
  touch(position: number): void {
    if (!(position >= 0 && position + 3 * LINE_BYTES <= this.#length)) return;
    const { readByte } = this.#libc;
    const address = this.#address + position;
    // Kept, or compilers leave the reads out. Nobody waits for them, as nothing depends on them.
    this.#touched ^= readByte(address, 0) ^ readByte(address, LINE_BYTES) ^
      readByte(address, 2 * LINE_BYTES);
  }

  /** Gives the address space back. Idempotent. */
  unmap(): void {
    if (this.#length === 0) return;
    const length = this.#length;
    this.#length = 0;
    if (this.#owned === undefined) this.#libc.munmap(this.#address, length);
    else this.#owned.release();
  }
}

let libcOnce: Libc | null | undefined;

function loadFunctions(): Libc | undefined {
  if (libcOnce === undefined) {
    const isAble = "Bun" in globalThis && process.platform !== "win32";
    const libc = isAble
      ? loadLibc({
        mmap: { args: ["usize", "usize", "i32", "i32", "i32", "i64"], returns: "ptr" },
        munmap: { args: ["ptr", "usize"], returns: "i32" },
        madvise: { args: ["ptr", "usize", "i32"], returns: "i32" },
        // What it returns is of no use, and would cost more than the rest of the call.
        memcpy: { args: ["ptr", "ptr", "usize"], returns: "void" },
      })
      : undefined;
    libcOnce = libc === undefined
      ? null
      : { ...libc, readByte: bunFfi().read.u8 } as unknown as Libc;
    if (libcOnce !== null && isBunWorker()) {
      libcOnce.unmapAtEnd = (libcOnce.munmap as { ptr?: number }).ptr;
    }
  }
  return libcOnce ?? undefined;
}
