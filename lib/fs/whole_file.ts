/** Reading and writing all that was asked for, where a single call may do less. */

import { assert } from "../assert.ts";
import { KvError } from "../errors.ts";
import type { File, FileSystem } from "./file_system.ts";
import { ioError, SystemError } from "./io_error.ts";

/** What can be read from. */
export type Readable = Pick<File, "read">;

/**
 * Reads `length` bytes at `position` into `buffer` at `offset`. Returns how many were read: fewer
 * only where the file ends. An error is thrown, never taken for the end.
 */
export function readFully(
  file: Readable,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const count = file.read(buffer, offset + done, length - done, position + done);
    if (count === 0) break;
    done += checkedCount(count, length - done);
  }
  return done;
}

/** As {@link readFully}, without blocking the event loop. */
export async function readFullyAsync(
  file: File,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await file.readAsync(buffer, offset + done, length - done, position + done);
    if (count === 0) break;
    done += checkedCount(count, length - done);
  }
  return done;
}

/**
 * Writes `length` bytes of `buffer` from `offset` at `position`. When it throws, any number of them
 * may have been written: the caller must cut the file back or give it up.
 */
export function writeFully(
  file: File,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  let done = 0;
  while (done < length) {
    const count = file.write(buffer, offset + done, length - done, position + done);
    done += acceptedCount(file, count, length - done);
  }
}

/**
 * As {@link writeFully}, without blocking the event loop where the file can do that. The bytes must
 * stay as they are until it is done.
 */
export async function writeFullyAsync(
  file: File,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < length) {
    const range = [offset + done, length - done, position + done] as const;
    const count = await (file.writeAsync?.(buffer, ...range) ?? file.write(buffer, ...range));
    done += acceptedCount(file, count, length - done);
  }
}

/**
 * Reads the file `path` whole. A file longer than `bytesMax` is refused as `CorruptLog` before
 * anything is allocated for it.
 */
export function readFile(fs: FileSystem, path: string, bytesMax: number): Uint8Array {
  const file = fs.open(path, "read");
  try {
    const size = file.size();
    if (size > bytesMax) {
      throw new KvError(
        "CorruptLog",
        `Cannot read ${path}: it is ${size} bytes long, and at most ${bytesMax} can be right`,
        { path },
      );
    }
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, readFully(file, bytes, 0, size, 0));
  } finally {
    file.close();
  }
}

function acceptedCount(file: File, count: number, countMax: number): number {
  if (count === 0) {
    const cause = new SystemError("EIO", "the system accepts no more bytes and says no reason");
    throw ioError("write", file.path, cause);
  }
  return checkedCount(count, countMax);
}

function checkedCount(count: number, countMax: number): number {
  const valid = Number.isInteger(count) && count > 0 && count <= countMax;
  // The message is made only when it is needed: this runs once for every read of a value.
  if (!valid) assert(false, `byte count ${count}`);
  return count;
}
