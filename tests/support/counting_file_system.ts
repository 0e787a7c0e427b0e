/** Counts the files that are open: none may be left when all is closed. */

import type { File, FileLock, FileStat, FileSystem, OpenMode } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";

/** Passes everything on, and knows which files are open and which locks are held. */
export class CountingFileSystem implements FileSystem {
  /** Paths of the open files, one for each time it was opened. */
  readonly openPaths: string[] = [];
  /** Locks held. */
  locks = 0;
  readonly #base: FileSystem;

  constructor(base: FileSystem = new MemoryFileSystem()) {
    this.#base = base;
  }

  makeDirectory(path: string): void {
    this.#base.makeDirectory(path);
  }

  readDirectory(path: string): string[] {
    return this.#base.readDirectory(path);
  }

  stat(path: string): FileStat | undefined {
    return this.#base.stat(path);
  }

  realPath(path: string): string {
    return this.#base.realPath?.(path) ?? path;
  }

  open(path: string, mode: OpenMode): File {
    const file = this.#base.open(path, mode);
    this.openPaths.push(path);
    let isOpen = true;
    return {
      path,
      read: (...range) => file.read(...range),
      // As on a real disk, a file that is closed meanwhile is read from what has its number then.
      readAsync: async (...range) => {
        await new Promise<void>((resolve) => void setImmediate(resolve));
        return await file.readAsync(...range);
      },
      write: (...range) => file.write(...range),
      sync: () => file.sync(),
      syncAsync: () => file.syncAsync(),
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => {
        if (isOpen) this.openPaths.splice(this.openPaths.indexOf(path), 1);
        isOpen = false;
        file.close();
      },
    };
  }

  rename(from: string, to: string): void {
    this.#base.rename(from, to);
  }

  unlink(path: string): void {
    this.#base.unlink(path);
  }

  syncDirectory(path: string): void {
    this.#base.syncDirectory(path);
  }

  lock(path: string): FileLock | undefined {
    const lock = this.#base.lock(path);
    if (lock === undefined) return undefined;
    this.locks++;
    let held = true;
    return {
      release: () => {
        if (held) this.locks--;
        held = false;
        lock.release();
      },
    };
  }
}
