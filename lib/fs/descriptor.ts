/**
 * Opening regular files and nothing else, on every runtime.
 *
 * What must stay true: a symbolic link is never followed at the last step of a path, a FIFO or a
 * device is never opened, and a file we create is ours alone (mode 0600), whatever the umask.
 * Functions here throw what the operating system throws; callers add what they attempted.
 */

import * as fs from "node:fs";
import process from "node:process";
import { SystemError, systemErrorCode } from "./io_error.ts";
import type { OpenMode } from "./file_system.ts";

/** Mode of every file Cairn creates. */
export const FILE_MODE = 0o600;
/** Mode of every directory Cairn creates. */
export const DIRECTORY_MODE = 0o700;

const IS_WINDOWS = process.platform === "win32";

/** How often a file may be replaced by others while it is being opened. */
const OPEN_ATTEMPTS = 20;

// Windows has neither. O_NONBLOCK: should a FIFO take the file's place between the look and the
// open, the open must not wait for a writer. It means nothing for a regular file.
const O_SAFE = (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0);

/** Opens a regular file and returns its descriptor. */
export function openDescriptor(path: string, mode: OpenMode): number {
  return mode === "create" ? createNew(path) : openExisting(path, mode);
}

/** Creates `path` (mode 0600) unless it exists. */
export function ensureFile(path: string): void {
  let fd: number;
  try {
    fd = createNew(path);
  } catch (error) {
    if ((error as { code?: unknown }).code === "EEXIST") return;
    throw error;
  }
  fs.closeSync(fd);
}

/** Throws unless `stat` (of lstat) is a regular file; the error says what it is instead. */
export function requireRegularFile(stat: fs.BigIntStats): void {
  if (stat.isFile()) return;
  if (stat.isSymbolicLink()) {
    throw new SystemError("ELOOP", "it is a symbolic link, and those are not followed");
  }
  if (stat.isDirectory()) throw new SystemError("EISDIR", "it is a directory");
  throw new SystemError("EINVAL", "it is not a regular file");
}

/** Throws unless what was opened is what was looked at before. */
export function requireSameFile(
  seen: fs.BigIntStats,
  opened: { dev: bigint | number; ino: bigint | number | null },
): void {
  // Windows does not report the same ids through every call; links need privileges there.
  if (IS_WINDOWS) return;
  // As numbers, because Deno's own stat has no bigints. Ids beyond 2^53 lose bits alike on both sides.
  if (
    Number(seen.dev) === Number(opened.dev) && Number(seen.ino) === Number(opened.ino ?? seen.ino)
  ) return;
  throw new SystemError("ESTALE", "another file took its place while it was being opened");
}

/** Whether the mode bits say what Cairn wants; Windows has other means, and always says yes. */
export function hasMode(mode: number | bigint, wanted: number): boolean {
  return IS_WINDOWS || (Number(mode) & 0o777) === wanted;
}

function createNew(path: string): number {
  // O_EXCL refuses whatever has the name already, a symbolic link included.
  const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL | O_SAFE;
  const fd = fs.openSync(path, flags, FILE_MODE);
  return closedOnError(fd, () => {
    // A umask can only take bits away, and an odd one takes away the owner's own.
    if (!hasMode(fs.fstatSync(fd).mode, FILE_MODE)) fs.fchmodSync(fd, FILE_MODE);
  });
}

function openExisting(path: string, mode: "read" | "write"): number {
  for (let attempt = 1;; attempt++) {
    try {
      return openAsSeen(path, mode);
    } catch (error) {
      // Another process may replace the file by a rename at this very moment, as a writer does with
      // ACTIVE beside a reader. Whatever has the name now is looked at as closely.
      if (systemErrorCode(error) !== "ESTALE" || attempt >= OPEN_ATTEMPTS) throw error;
    }
  }
}

function openAsSeen(path: string, mode: "read" | "write"): number {
  // Not every runtime and platform honours O_NOFOLLOW, so look before and compare after.
  const seen = fs.lstatSync(path, { bigint: true });
  requireRegularFile(seen);
  const access = mode === "read" ? fs.constants.O_RDONLY : fs.constants.O_RDWR;
  const fd = fs.openSync(path, access | O_SAFE);
  return closedOnError(fd, () => requireSameFile(seen, fs.fstatSync(fd, { bigint: true })));
}

function closedOnError(fd: number, check: () => void): number {
  try {
    check();
    return fd;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}
