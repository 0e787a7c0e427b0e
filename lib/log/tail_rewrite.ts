/** Writes the end of a file, and its length, once more, so that the next fsync cannot pass them over. */

import { KvError } from "../errors.ts";
import type { File } from "../fs/file_system.ts";
import { readFully, writeFully } from "../fs/whole_file.ts";

const CHUNK_BYTES = 1 << 20;

/**
 * Reads the bytes from `start` to `end`, where the file ends, and writes them where they are. After an fsync has failed,
 * the operating system may keep what it could not write in memory, and take it for written: a new
 * process reads it as if nothing had happened, and its fsync succeeds without writing anything. Only
 * a new write makes the system care for these bytes again. Throws `Io` if they are not all there.
 */
export function rewriteTail(file: File, start: number, end: number): void {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, end - start));
  for (let offset = start; offset < end;) {
    const wanted = Math.min(buffer.length, end - offset);
    const count = readFully(file, buffer, 0, wanted, offset);
    // Nobody else writes to the file, so a scan has seen these bytes. What is not written again may
    // be lost with the next power cut, whatever fsync says: then nothing can be vouched for.
    if (count === 0) {
      throw new KvError(
        "Io",
        `Cannot read ${file.path} again from offset ${offset}, where it had ${end} bytes just now: ` +
          `see that no other program writes to it, then open the store again`,
        { path: file.path, offset },
      );
    }
    writeFully(file, buffer, 0, count, offset);
    offset += count;
  }
  // A cut that an fsync was to make durable and did not may be lost likewise: the file would be longer
  // again, with what was cut off behind records that are there by then.
  file.truncate(end + 1);
  file.truncate(end);
}
