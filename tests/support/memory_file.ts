/** One file in memory, and what is read of it. */

import type { File } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { writeFully } from "../../lib/fs/whole_file.ts";

/** A file with these contents. */
export function memoryFile(bytes: Uint8Array): File {
  const file = new MemoryFileSystem().open("file", "create");
  writeFully(file, bytes, 0, bytes.length, 0);
  return file;
}

/** A file whose reads and writes are as short as `length` says at each call. */
export function shortened(file: File, length: (wanted: number) => number): File {
  return {
    path: file.path,
    read: (buffer, offset, wanted, position) =>
      file.read(buffer, offset, Math.min(wanted, length(wanted)), position),
    readAsync: (buffer, offset, wanted, position) =>
      file.readAsync(buffer, offset, Math.min(wanted, length(wanted)), position),
    write: (buffer, offset, wanted, position) =>
      file.write(buffer, offset, Math.min(wanted, length(wanted)), position),
    sync: () => file.sync(),
    syncAsync: () => file.syncAsync(),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  };
}
