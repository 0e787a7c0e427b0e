/** A lock that belongs to a descriptor: it is given back by closing that, however this comes. */

import { closeSync } from "node:fs";
import { openDescriptor } from "./descriptor.ts";
import type { FileLock } from "./file_system.ts";

/**
 * Opens the existing file `path` and keeps it open for as long as the lock is held that `take` has
 * got on the descriptor; undefined, and closed again, when somebody else holds it.
 */
export function holdLock(path: string, take: (fd: number) => boolean): FileLock | undefined {
  const fd = openDescriptor(path, "write");
  let held = false;
  try {
    held = take(fd);
  } finally {
    if (!held) closeSync(fd);
  }
  if (!held) return undefined;
  return {
    release() {
      if (!held) return;
      held = false;
      closeSync(fd);
    },
  };
}
