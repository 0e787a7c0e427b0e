/** The lock by Deno's own means, which need no permission beyond the file's. */

import * as fs from "node:fs";
import { requireRegularFile, requireSameFile } from "./descriptor.ts";
import type { FileLock } from "./file_system.ts";

/** The part of Deno used here, so that the types need no Deno. */
interface DenoFiles {
  openSync(path: string, options: { read: boolean; write: boolean }): DenoFile;
}

interface DenoFile {
  tryLockSync(exclusive: boolean): boolean;
  statSync(): { dev: number; ino: number | null };
  close(): void;
}

/** Locks the existing file `path`; undefined when somebody else holds it. */
export function lockWithDeno(path: string): FileLock | undefined {
  const { Deno } = globalThis as unknown as { Deno: DenoFiles };
  const seen = fs.lstatSync(path, { bigint: true });
  requireRegularFile(seen);
  const file = Deno.openSync(path, { read: true, write: true });
  let held = false;
  try {
    requireSameFile(seen, file.statSync());
    held = file.tryLockSync(true);
  } finally {
    if (!held) file.close();
  }
  if (!held) return undefined;
  return {
    release() {
      if (!held) return;
      held = false;
      file.close();
    },
  };
}
