/**
 * A file on a disk that may no longer be able to read all of it. What cannot be read is given as
 * zeros, which are never a valid frame, so that damage to the medium is handled like any other.
 */

import type { File, FileSystem } from "../fs/file_system.ts";
import { isFinding } from "./finding.ts";

const BLOCK_BYTES = 4096;

/** A file open for reading, whose reads do not fail. */
export class TolerantFile implements File {
  readonly path: string;

  #file: File;
  #unreadableBlocks = new Set<number>();

  /** Wraps `file`, which is closed with it. */
  constructor(file: File) {
    this.path = file.path;
    this.#file = file;
  }

  /** Opens a regular file; throws `Io` if that is not possible at all. */
  static open(fs: FileSystem, path: string): TolerantFile {
    return new TolerantFile(fs.open(path, "read"));
  }

  /** Blocks of 4096 bytes that could not be read so far. */
  get unreadableCount(): number {
    return this.#unreadableBlocks.size;
  }

  /** Reads as any file does; where the disk fails, one block at a time, and zeros. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    try {
      return this.#file.read(buffer, offset, length, position);
    } catch (error) {
      if (!isFinding(error)) throw error;
    }
    const block = Math.floor(position / BLOCK_BYTES);
    const toBlockEnd = (block + 1) * BLOCK_BYTES - position;
    const count = Math.min(length, toBlockEnd, this.size() - position);
    if (count <= 0) return 0;
    try {
      return this.#file.read(buffer, offset, count, position);
    } catch (error) {
      if (!isFinding(error)) throw error;
      this.#unreadableBlocks.add(block);
      buffer.fill(0, offset, offset + count);
      return count;
    }
  }

  /** As {@link read}. */
  readAsync(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return new Promise((resolve) => resolve(this.read(buffer, offset, length, position)));
  }

  /** Not for this file: throws. */
  write(): number {
    throw new Error("a file that is salvaged is never written");
  }

  /** Nothing to do. */
  sync(): void {}

  /** Nothing to do. */
  syncAsync(): Promise<void> {
    return Promise.resolve();
  }

  /** Not for this file: throws. */
  truncate(): void {
    throw new Error("a file that is salvaged is never written");
  }

  /** Current length in bytes. */
  size(): number {
    return this.#file.size();
  }

  /** Releases the descriptor. */
  close(): void {
    this.#file.close();
  }
}
