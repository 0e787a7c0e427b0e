/**
 * The lock that keeps a store to one opener: flock(2), by whatever means each runtime has.
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

/** Takes the exclusive lock on the file `path`; undefined when somebody else holds it. */
export function lockNatively(path: string): FileLock | undefined {
  try {
    if (!("Deno" in globalThis) && process.platform === "win32") throw unsupportedOnWindows(path);
    ensureFile(path);
    if ("Deno" in globalThis) return lockWithDeno(path);
    if ("Bun" in globalThis) return lockWithBun(path);
    return lockWithChildProcess(path);
  } catch (error) {
    throw ioError("lock", path, error);
  }
}

function unsupportedOnWindows(path: string): KvError {
  return new KvError(
    "Unsupported",
    `Cannot lock ${path}: under Bun and Node, Windows is not supported yet; use Deno there`,
    { path },
  );
}
