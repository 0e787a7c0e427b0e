/** A file system that says before each of its changes that it is about to make one. */

import type { File, FileSystem, OpenMode } from "../../lib/fs/file_system.ts";

/** Wraps `inner`; `onCall` is told before every call that changes a file or a directory. */
export function watchingFileSystem(inner: FileSystem, onCall: () => void): FileSystem {
  return {
    makeDirectory: (path) => {
      onCall();
      inner.makeDirectory(path);
    },
    readDirectory: (path) => inner.readDirectory(path),
    stat: (path) => inner.stat(path),
    realPath: (path) => inner.realPath(path),
    open: (path: string, mode: OpenMode) => {
      if (mode === "create") onCall();
      return watchingFile(inner.open(path, mode), onCall);
    },
    rename: (from, to) => {
      onCall();
      inner.rename(from, to);
    },
    unlink: (path) => {
      onCall();
      inner.unlink(path);
    },
    syncDirectory: (path) => {
      onCall();
      inner.syncDirectory(path);
    },
    lock: (path) => inner.lock(path),
  };
}

function watchingFile(inner: File, onCall: () => void): File {
  return {
    path: inner.path,
    read: (buffer, offset, length, position) => inner.read(buffer, offset, length, position),
    readAsync: (buffer, offset, length, position) =>
      inner.readAsync(buffer, offset, length, position),
    write: (buffer, offset, length, position) => {
      onCall();
      return inner.write(buffer, offset, length, position);
    },
    sync: () => {
      onCall();
      inner.sync();
    },
    syncAsync: () => {
      onCall();
      return inner.syncAsync();
    },
    truncate: (size) => {
      onCall();
      inner.truncate(size);
    },
    size: () => inner.size(),
    close: () => inner.close(),
  };
}
