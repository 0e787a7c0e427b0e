/** Whether a segment that ACTIVE does not know yet is more than what a crash can leave behind. */

import { SEGMENT_FRAME_BYTES } from "../format/control_record.ts";
import { hintName, joinPath, segmentName } from "../format/filename.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import type { Readable } from "../fs/whole_file.ts";
import { SegmentScanner } from "./segment_scanner.ts";
import { endOfFrames } from "./zero_tail.ts";

/**
 * Whether a segment of `size` bytes has anything behind its header. A zero there is nothing:
 * `rewriteTail` makes the file longer by a byte and cuts that off again, and a power failure may keep
 * the first alone.
 */
export function reachesBehindHeader(file: Readable, size: number): boolean {
  return size > SEGMENT_FRAME_BYTES + 1 || endOfFrames(file, size) > SEGMENT_FRAME_BYTES;
}

/**
 * Whether the segment `fileId`, an id that ACTIVE says no file has had, must have been part of the
 * log: then ACTIVE is an old copy. False if there is no such file.
 *
 * A rotation writes nothing behind the header before ACTIVE names the file, and a compaction nothing
 * before the header is synced. So a file that is longer than a header is an output of compaction,
 * which may go, only if its header says so; where that cannot be read, it is damaged and counts as
 * one with records. So does one with a hint file, which is begun behind the header too.
 */
export function holdsNewRecords(
  fs: FileSystem,
  directory: string,
  fileId: number,
  nodeId: Uint8Array,
): boolean {
  let file: File;
  try {
    file = fs.open(joinPath(directory, segmentName(fileId)), "read");
  } catch (error) {
    // Gone meanwhile: a compaction that is running elsewhere has given up its output.
    if (systemErrorCode(error) === "ENOENT") return false;
    throw error;
  }
  try {
    const size = file.size();
    const scanner = new SegmentScanner(file, size, { fileId, nodeId });
    if (scanner.readHeader()) {
      return !scanner.segmentHeader!.compacted && reachesBehindHeader(file, size);
    }
    return size > SEGMENT_FRAME_BYTES ||
      fs.stat(joinPath(directory, hintName(fileId))) !== undefined;
  } finally {
    file.close();
  }
}
