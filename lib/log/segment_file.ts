/** Creates segment files and opens them. */

import {
  encodeSegmentHeader,
  extendChain,
  SEGMENT_FRAME_BYTES,
  type SegmentHeader,
} from "../format/control_record.ts";
import { joinPath, segmentName } from "../format/filename.ts";
import { allocateBuffer } from "../format/record.ts";
import { tryToUnlink } from "../fs/durable.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { writeFully } from "../fs/whole_file.ts";
import { Segment } from "./segment.ts";

/** Creates a segment that holds nothing but its header. A crash may leave nothing of it. */
export function beginSegment(fs: FileSystem, directory: string, header: SegmentHeader): Segment {
  const file = fs.open(joinPath(directory, segmentName(header.fileId)), "create");
  try {
    const buffer = allocateBuffer(SEGMENT_FRAME_BYTES);
    const crc = encodeSegmentHeader(buffer, 0, header);
    writeFully(file, buffer.bytes, 0, SEGMENT_FRAME_BYTES, 0);
    const segment = new Segment(header.fileId, file, header.compacted, header.firstLsn);
    segment.length = SEGMENT_FRAME_BYTES;
    segment.controlBytes = SEGMENT_FRAME_BYTES;
    segment.chain = extendChain(segment.chain, crc);
    return segment;
  } catch (error) {
    giveUpSegment(fs, file);
    throw error;
  }
}

/**
 * Creates a segment that holds nothing but its header, durably: file and directory are synced, so
 * that ACTIVE may name it.
 */
export function createSegment(
  fs: FileSystem,
  directory: string,
  header: SegmentHeader,
): Segment {
  const segment = beginSegment(fs, directory, header);
  const { file } = segment;
  try {
    file.sync();
    fs.syncDirectory(directory);
    segment.durableLength = SEGMENT_FRAME_BYTES;
    return segment;
  } catch (error) {
    giveUpSegment(fs, file);
    throw error;
  }
}

/** Closes and removes the file of a segment of which nothing comes. */
export function giveUpSegment(fs: FileSystem, file: File): void {
  file.close();
  // Part of a header would do no harm, but takes space until the next opening.
  tryToUnlink(fs, file.path);
}
