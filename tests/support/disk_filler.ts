/** Takes the space of a file system away, and gives it back. */

import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";

const CHUNK_BYTES_MAX = 256 << 20;
/** Shorter ones are written, which is quicker than to start a program for each. */
const CHUNK_BYTES_MIN = 64 << 10;
const BLOCK_BYTES = 4096;

/** Fills one file system with a file of its own. */
export class DiskFiller {
  readonly #directory: string;
  readonly #path: string;
  #length = 0;

  /** Fills the file system that is mounted at `directory`. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#path = `${directory}/filler`;
  }

  /** Leaves about so many bytes free; with 0, not one block can be had afterwards. */
  fill(freeBytes: number): void {
    for (let bytes = CHUNK_BYTES_MAX; bytes >= CHUNK_BYTES_MIN; bytes /= 2) {
      while (this.#freeBytes() - bytes >= freeBytes && this.#allocate(bytes)) this.#length += bytes;
    }
    const file = openSync(this.#path, "a");
    try {
      const block = new Uint8Array(BLOCK_BYTES);
      // What a file system calls free may be reserved, and the other way round: so all there is.
      while (freeBytes === 0 || this.#freeBytes() - BLOCK_BYTES >= freeBytes) {
        this.#length += writeSync(file, block);
        if (freeBytes > 0) fsyncSync(file);
      }
      fsyncSync(file);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives all of it back. */
  empty(): void {
    rmSync(this.#path, { force: true });
    this.#length = 0;
  }

  #allocate(bytes: number): boolean {
    const range = ["--offset", `${this.#length}`, "--length", `${bytes}`];
    return spawnSync("fallocate", [...range, this.#path]).status === 0;
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#directory);
    return bavail * bsize;
  }
}
