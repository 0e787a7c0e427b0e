/** Writes the end of a file once more, so that the next fsync cannot pass it over. */

import type { File } from "../fs/file_system.ts";
import { readFully, writeFully } from "../fs/whole_file.ts";

const CHUNK_BYTES = 1 << 20;

/**
 * Reads the bytes from `start` to `end` and writes them where they are. After an fsync has failed,
 * the operating system may keep what it could not write in memory, and take it for written: a new
 * process reads it as if nothing had happened, and its fsync succeeds without writing anything. Only
 * a new write makes the system care for these bytes again.
 */
export function rewriteTail(file: File, start: number, end: number): void {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, end - start));
  for (let offset = start; offset < end;) {
    const wanted = Math.min(buffer.length, end - offset);
    const count = readFully(file, buffer, 0, wanted, offset);
    // Nobody else writes to the file: it cannot have become shorter than it was when it was scanned.
    if (count === 0) break;
    writeFully(file, buffer, 0, count, offset);
    offset += count;
  }
}
