import type { FileSystem } from "../../lib/fs/file_system.ts";

/** A file system that is `base`, but opens files in a way of its own. */
export function openingOtherwise(base: FileSystem, open: FileSystem["open"]): FileSystem {
  return {
    open,
    makeDirectory: (path) => base.makeDirectory(path),
    readDirectory: (path) => base.readDirectory(path),
    stat: (path) => base.stat(path),
    realPath: (path) => base.realPath(path),
    rename: (from, to) => base.rename(from, to),
    unlink: (path) => base.unlink(path),
    syncDirectory: (path) => base.syncDirectory(path),
    lock: (path) => base.lock(path),
  };
}
