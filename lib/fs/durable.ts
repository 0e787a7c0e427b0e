/**
 * Changes to a directory that survive power loss, or did not happen.
 *
 * The order is the point, and nothing else in Cairn should spell it out again: contents, fsync,
 * rename, fsync of the directory; removals, fsync of the directory. An fsync that failed is never
 * tried again: the second one may report success for data that the first one lost.
 */

import { join } from "node:path";
import { TEMPORARY_SUFFIX } from "../format/filename.ts";
import type { File, FileSystem } from "./file_system.ts";
import { systemErrorCode } from "./io_error.ts";
import { writeFully } from "./whole_file.ts";

/**
 * Gives the file `name` in `directory` the contents `bytes`, whether or not it existed. After a
 * crash it holds either the old contents or the new ones. If this throws, either may be there.
 */
export function replaceDurably(
  fs: FileSystem,
  directory: string,
  name: string,
  bytes: Uint8Array,
): void {
  const path = join(directory, name);
  const temporary = path + TEMPORARY_SUFFIX;
  unlinkIfPresent(fs, temporary);
  try {
    const file = fs.open(temporary, "create");
    try {
      writeFully(file, bytes, 0, bytes.length, 0);
      file.sync();
    } finally {
      file.close();
    }
    fs.rename(temporary, path);
  } catch (error) {
    tryToUnlink(fs, temporary);
    throw error;
  }
  fs.syncDirectory(directory);
}

/**
 * As {@link replaceDurably}, without blocking the event loop where the file system can do that. As
 * soon as `isWanted` says no, nothing more is done: somebody who could not wait has replaced the file
 * already, or nobody shall.
 */
export async function replaceDurablyAsync(
  fs: FileSystem,
  directory: string,
  name: string,
  bytes: Uint8Array,
  isWanted: () => boolean,
): Promise<void> {
  const path = join(directory, name);
  const temporary = path + TEMPORARY_SUFFIX;
  unlinkIfPresent(fs, temporary);
  try {
    const file = fs.open(temporary, "create");
    try {
      writeFully(file, bytes, 0, bytes.length, 0);
      await file.syncAsync();
    } finally {
      file.close();
    }
    // By now the name may be that of another file.
    if (!isWanted()) return;
    fs.rename(temporary, path);
  } catch (error) {
    if (isWanted()) tryToUnlink(fs, temporary);
    throw error;
  }
  await syncDirectoryPatiently(fs, directory);
}

/** Removes the files `names` in `directory`. One that is missing already is no error. */
export function removeDurably(fs: FileSystem, directory: string, names: readonly string[]): void {
  if (names.length === 0) return;
  for (const name of names) unlinkIfPresent(fs, join(directory, name));
  // Also when all were missing: an earlier run may have been stopped right before this.
  fs.syncDirectory(directory);
}

/** As {@link removeDurably}, without blocking the event loop where the file system can do that. */
export async function removeDurablyAsync(
  fs: FileSystem,
  directory: string,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  for (const name of names) {
    const path = join(directory, name);
    try {
      await (fs.unlinkAsync?.(path) ?? fs.unlink(path));
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw error;
    }
  }
  await syncDirectoryPatiently(fs, directory);
}

/** Syncs a directory without blocking the event loop, where the file system can do that. */
export async function syncDirectoryPatiently(fs: FileSystem, directory: string): Promise<void> {
  await (fs.syncDirectoryAsync?.(directory) ?? fs.syncDirectory(directory));
}

function unlinkIfPresent(fs: FileSystem, path: string): void {
  try {
    fs.unlink(path);
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
}

/** Clears up after a failure, whose error matters more than one from here. */
export function tryToUnlink(fs: FileSystem, path: string): void {
  try {
    fs.unlink(path);
  } catch {
    // It stays until the next attempt removes it.
  }
}

/** As {@link tryToUnlink}: cuts off what was not to be written. */
export function tryToTruncate(file: File, size: number): void {
  try {
    file.truncate(size);
  } catch {
    // Recovery will cut it off.
  }
}
