/** One opener a directory: the lock, and who holds it. */

import process from "node:process";
import { KvError } from "../errors.ts";
import { joinPath, LOCK_NAME } from "../format/filename.ts";
import type { FileLock, FileSystem } from "../fs/file_system.ts";
import { readFile, writeFully } from "../fs/whole_file.ts";

const HOLDER_BYTES_MAX = 256;

/**
 * Takes the lock of a store's directory, or throws `Locked`. The holder's process id is noted in
 * the lock file, for messages only: the operating system decides who holds the lock.
 */
export function lockDirectory(fs: FileSystem, directory: string): FileLock {
  const path = joinPath(directory, LOCK_NAME);
  const lock = fs.lock(path);
  if (lock === undefined) {
    throw new KvError(
      "Locked",
      `${directory} is in use by ${
        readHolder(fs, path)
      }: close that store, or open this one with ` +
        `readOnly, or talk to it through its server`,
      { path },
    );
  }
  noteHolder(fs, path, lock.processId ?? process.pid);
  return lock;
}

function noteHolder(fs: FileSystem, path: string, processId: number): void {
  try {
    const file = fs.open(path, "write");
    try {
      const text = new TextEncoder().encode(`process ${processId}\n`);
      file.truncate(0);
      writeFully(file, text, 0, text.length, 0);
    } finally {
      file.close();
    }
  } catch {
    // The note is a courtesy: on a full disk the store must still open.
  }
}

function readHolder(fs: FileSystem, path: string): string {
  try {
    const text = new TextDecoder().decode(readFile(fs, path, HOLDER_BYTES_MAX)).trim();
    return /^process \d+$/.test(text) ? text : "another store";
  } catch {
    return "another store";
  }
}
