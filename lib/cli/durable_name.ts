/** Gives files their names in such a way that a power cut takes neither the name nor what is in them. */

import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";

/** What systems answer that have no such call for directories, and need none. */
const UNHEARD_OF = new Set(["EINVAL", "ENOTSUP", "EISDIR", "EPERM"]);

/** Lets the file `temporary`, which is open as `fd`, take the name `path` once it is durable. */
export function renameDurably(fd: number, temporary: string, path: string): void {
  fsyncSync(fd);
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/** Makes the names in a directory durable. */
export function syncDirectory(directory: string): void {
  let fd: number;
  try {
    fd = openSync(directory, "r");
  } catch (error) {
    // As on Windows, where directories are no files.
    if (UNHEARD_OF.has((error as { code?: string }).code ?? "")) return;
    throw error;
  }
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!UNHEARD_OF.has((error as { code?: string }).code ?? "")) throw error;
  } finally {
    closeSync(fd);
  }
}
