/** Whether a hint file and a segment belong together. */

import { decodeSyncMark, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import type { HintHeader } from "../format/hint.ts";
import { allocateBuffer, decodeFrame, FRAME_OK, FrameHeader, OP_SYNC } from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";

/** Why a hint does not stand for this segment; undefined if it does. */
export function findUnboundHint(
  header: HintHeader,
  segment: File,
  fileId: number,
): string | undefined {
  const { coveredLength } = header;
  if (header.fileId !== fileId) return "stands for another segment";
  const size = segment.size();
  // One that covers less was written before the segment was appended to: that is in order.
  if (coveredLength > size) return `covers ${coveredLength} bytes, but its segment has ${size}`;
  const at = coveredLength - SYNC_FRAME_BYTES;
  const frame = allocateBuffer(SYNC_FRAME_BYTES);
  const count = at < 0 ? 0 : readFully(segment, frame.bytes, 0, SYNC_FRAME_BYTES, at);
  const frameHeader = new FrameHeader();
  const isMark = decodeFrame(frame, 0, count, frameHeader) === FRAME_OK &&
    frameHeader.op === OP_SYNC;
  const mark = isMark ? decodeSyncMark(frame.view, 0, frameHeader.lsn) : undefined;
  const isBound = mark?.recordCount === header.recordCount && mark.chain === header.chain;
  return isBound ? undefined : `belongs to another state of its segment, at offset ${at}`;
}
