/** A file system that tells of every sync of a directory that failed, whoever asked for it. */

import type { File, FileLock, FileStat, FileSystem, OpenMode } from "./file_system.ts";

/**
 * Passes everything on to another file system. A failed sync of a directory may have lost names that
 * others have just put into it, and no later one says so: they have to be told.
 */
export class DirectoryWatch implements FileSystem {
  readonly #fs: FileSystem;
  readonly #onFailure: (error: unknown) => void;

  constructor(fs: FileSystem, onFailure: (error: unknown) => void) {
    this.#fs = fs;
    this.#onFailure = onFailure;
  }

  syncDirectory(path: string): void {
    try {
      this.#fs.syncDirectory(path);
    } catch (error) {
      this.#onFailure(error);
      throw error;
    }
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    try {
      await (this.#fs.syncDirectoryAsync?.(path) ?? this.#fs.syncDirectory(path));
    } catch (error) {
      this.#onFailure(error);
      throw error;
    }
  }

  makeDirectory(path: string): void {
    this.#fs.makeDirectory(path);
  }

  readDirectory(path: string): string[] {
    return this.#fs.readDirectory(path);
  }

  stat(path: string): FileStat | undefined {
    return this.#fs.stat(path);
  }

  realPath(path: string): string {
    return this.#fs.realPath(path);
  }

  open(path: string, mode: OpenMode): File {
    return this.#fs.open(path, mode);
  }

  rename(from: string, to: string): void {
    this.#fs.rename(from, to);
  }

  unlink(path: string): void {
    this.#fs.unlink(path);
  }

  async unlinkAsync(path: string): Promise<void> {
    await (this.#fs.unlinkAsync?.(path) ?? this.#fs.unlink(path));
  }

  lock(path: string): FileLock | undefined {
    return this.#fs.lock(path);
  }
}
