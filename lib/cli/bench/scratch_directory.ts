/** A directory for a while. */

import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { systemReason } from "../system_reason.ts";
import { formatBytes } from "../text_format.ts";

/** What Linux calls a file system that is in memory. */
const TMPFS_TYPE = 0x01021994;

/** Where a store can be made, and removed again. */
export interface ScratchDirectory {
  /** The directory that it was made in. */
  parent: string;
  path: string;
  /** Removes it, with all that is in it. */
  remove(): void;
}

/** Where one is made: in TMPDIR, or where the system has it. */
export function scratchParent(): string {
  return tmpdir();
}

/** Makes one. */
export function makeScratch(): ScratchDirectory {
  const parent = scratchParent();
  let path: string;
  try {
    path = mkdtempSync(join(parent, "cairn-bench-"));
  } catch (error) {
    throw new CliError(
      EXIT_CODE.io,
      `cannot make a directory in ${parent}: ${systemReason(error)}; name another with TMPDIR`,
      { cause: error },
    );
  }
  return { parent, path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Refuses to fill a disk up that has fewer free bytes than this. */
export function assertRoom(directory: string, bytes: number): void {
  const free = freeBytesOf(directory);
  if (free === undefined || free >= bytes) return;
  throw new CliError(
    EXIT_CODE.usage,
    `it may take ${formatBytes(bytes)}, and in ${directory} there are ${formatBytes(free)} free: ` +
      "take fewer --keys, smaller values, or for a scratch directory another TMPDIR",
  );
}

/** Whether nothing in there survives a power cut, so that an fsync costs nothing. */
export function isInMemory(directory: string): boolean {
  try {
    return statfsSync(directory).type === TMPFS_TYPE;
  } catch {
    return false;
  }
}

function freeBytesOf(directory: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return undefined; // Nobody tells here; the disk itself will.
  }
}
