/** A file system that lets a test stand between the store and the disk. */

import type { File, OpenMode } from "../../lib/fs/file_system.ts";
import { PassingFileSystem } from "./passing_file_system.ts";

/** Passes everything on to another file system; `before…` may wait, look around, or throw. */
export class InterceptingFileSystem extends PassingFileSystem {
  /** Called before a blocking fsync of a file. */
  beforeSync: (path: string) => void = () => {};
  /** Awaited before an fsync of a file or directory through the thread pool. */
  beforeSyncAsync: (path: string) => Promise<void> | void = () => {};
  /** Awaited before a read through the thread pool. */
  beforeReadAsync: (path: string) => Promise<void> | void = () => {};
  /** Called before anything that changes the disk; `what` is the method's name. */
  beforeChange: (what: string, path: string) => void = () => {};

  override makeDirectory(path: string): void {
    this.beforeChange("makeDirectory", path);
    this.base.makeDirectory(path);
  }

  override open(path: string, mode: OpenMode): File {
    if (mode === "create") this.beforeChange("create", path);
    const file = this.base.open(path, mode);
    return {
      path: file.path,
      read: (...range) => file.read(...range),
      readAsync: async (...range) => {
        await this.beforeReadAsync(path);
        return await file.readAsync(...range);
      },
      write: (...range) => {
        this.beforeChange("write", path);
        return file.write(...range);
      },
      sync: () => {
        this.beforeSync(path);
        file.sync();
      },
      syncAsync: async () => {
        await this.beforeSyncAsync(path);
        await file.syncAsync();
      },
      truncate: (size) => {
        this.beforeChange("truncate", path);
        file.truncate(size);
      },
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    await this.beforeSyncAsync(path);
    await (this.base.syncDirectoryAsync?.(path) ?? this.base.syncDirectory(path));
  }

  override rename(from: string, to: string): void {
    this.beforeChange("rename", to);
    this.base.rename(from, to);
  }

  override unlink(path: string): void {
    this.beforeChange("unlink", path);
    this.base.unlink(path);
  }
}

/**
 * Something to wait at until it is opened. Leaving the scope of `using` opens it: declared behind a
 * store, it lets a test that fails close the store instead of hanging.
 */
export class Gate implements Disposable {
  #open = false;
  #waiting: (() => void)[] = [];

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves once the gate is open. */
  pass(): Promise<void> {
    if (this.#open) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets everybody through, now and later. */
  open(): void {
    this.#open = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Stops whoever comes from now on. */
  close(): void {
    this.#open = false;
  }

  /** As {@link open}. */
  [Symbol.dispose](): void {
    this.open();
  }
}
