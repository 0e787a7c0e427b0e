/** Counts the files that are open: none may be left when all is closed. */

import type { File, FileLock, FileSystem, OpenMode } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { PassingFileSystem } from "./passing_file_system.ts";

/** Passes everything on, and knows which files are open and which locks are held. */
export class CountingFileSystem extends PassingFileSystem {
  /** Paths of the open files, one for each time it was opened. */
  readonly openPaths: string[] = [];
  /** Locks held. */
  locks = 0;

  constructor(base: FileSystem = new MemoryFileSystem()) {
    super(base);
  }

  override open(path: string, mode: OpenMode): File {
    const file = this.base.open(path, mode);
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

  override lock(path: string): FileLock | undefined {
    const lock = this.base.lock(path);
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
