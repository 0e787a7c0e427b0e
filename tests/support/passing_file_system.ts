/** What file systems that stand before another one have in common: they pass everything on. */

import type { File, FileLock, FileStat, FileSystem, OpenMode } from "../../lib/fs/file_system.ts";

/** Passes every call on; a subclass overrides those that it is about. */
export class PassingFileSystem implements FileSystem {
  /** Where calls end up. */
  protected readonly base: FileSystem;

  constructor(base: FileSystem) {
    this.base = base;
  }

  makeDirectory(path: string): void {
    this.base.makeDirectory(path);
  }

  readDirectory(path: string): string[] {
    return this.base.readDirectory(path);
  }

  stat(path: string): FileStat | undefined {
    return this.base.stat(path);
  }

  realPath(path: string): string {
    return this.base.realPath(path);
  }

  open(path: string, mode: OpenMode): File {
    return this.base.open(path, mode);
  }

  rename(from: string, to: string): void {
    this.base.rename(from, to);
  }

  unlink(path: string): void {
    this.base.unlink(path);
  }

  syncDirectory(path: string): void {
    this.base.syncDirectory(path);
  }

  lock(path: string): FileLock | undefined {
    return this.base.lock(path);
  }
}
