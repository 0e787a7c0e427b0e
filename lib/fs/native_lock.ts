/**
 * The lock that keeps a store to one opener: flock(2), by whatever means each runtime has, and on
 * Windows LockFileEx.
 *
 * It belongs to the open file, not to the process id, so the kernel gives it back when the process
 * ends, however it ends; and two descriptors conflict within one process as they do between two.
 * All runtimes take the same kind, so they exclude one another, and flock(1) as well. The lock file
 * is never removed: whoever locked a removed file would lock nothing.
 */

import process from "node:process";
import { lockWithBun } from "./bun_lock.ts";
import { lockWithChildProcess } from "./child_process_lock.ts";
import { lockWithDeno } from "./deno_lock.ts";
import { ensureFile } from "./descriptor.ts";
import { KvError } from "../errors.ts";
import type { FileLock } from "./file_system.ts";
import { ioError } from "./io_error.ts";
import { lockWithWindows } from "./windows_lock.ts";

/** Takes the exclusive lock on the file `path`; undefined when somebody else holds it. */
export function lockNatively(path: string): FileLock | undefined {
  try {
    const isWindows = process.platform === "win32";
    const isNode = !("Deno" in globalThis) && !("Bun" in globalThis);
    if (isWindows && isNode) throw unsupportedOnWindows(path);
    ensureFile(path);
    if ("Deno" in globalThis) return lockWithDeno(path);
    if (isNode) return lockWithChildProcess(path);
    return isWindows ? lockWithWindows(path) : lockWithBun(path);
  } catch (error) {
    throw ioError("lock", path, error);
  }
}

function unsupportedOnWindows(path: string): KvError {
  return new KvError(
    "Unsupported",
    `Cannot lock ${path}: under Node, Windows is not supported; use Bun or Deno there`,
    { path },
  );
}
