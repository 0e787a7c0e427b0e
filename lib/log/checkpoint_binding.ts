/** Whether a checkpoint and a log belong together. */

import type { ActiveState } from "../format/active.ts";
import type { CheckpointHeader, CheckpointSegment } from "../format/checkpoint.ts";
import { decodeSyncMark, extendChain, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import {
  allocateBuffer,
  decodeFrame,
  FRAME_OK,
  FrameHeader,
  OP_SYNC,
  readFrameCrc,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";

/** Why a checkpoint is not used that compaction has overtaken: in order, unlike all other reasons. */
export const CHECKPOINT_OVERTAKEN = "it stands for segments that are not the log any more";

/** A checkpoint that stands for the beginning of a log. */
export interface BoundCheckpoint {
  segments: readonly CheckpointSegment[];
  /** Whether the mark at the end of what it covers calls everything before it durable. */
  sealed: boolean;
}

/**
 * Holds a checkpoint against the log that ACTIVE names, whose segments are open as `files`. What it
 * covers must be the beginning of that log: the same segments, closed ones with the lengths and
 * chains that ACTIVE gives, and the last one up to a mark that it holds. Returns why it does not.
 */
export function bindCheckpoint(
  header: CheckpointHeader,
  state: ActiveState,
  files: readonly (File | undefined)[],
): BoundCheckpoint | string {
  if (!header.nodeId.every((byte, index) => byte === state.nodeId[index])) {
    return "it belongs to another store";
  }
  const { segments } = header;
  const isBeginning = segments.every(({ fileId }, index) =>
    fileId === state.segments[index]?.fileId
  );
  if (!isBeginning) return CHECKPOINT_OVERTAKEN;
  const last = segments.length - 1;
  for (let index = 0; index < last; index++) {
    const { length, chain } = state.segments[index]!;
    const { coveredLength } = segments[index]!;
    if (coveredLength !== length || segments[index]!.chain !== chain) {
      return `it belongs to another state of segment ${segments[index]!.fileId}`;
    }
  }
  const mark = files[last] === undefined ? undefined : readMark(files[last], segments[last]!);
  if (mark === undefined) return `it belongs to another state of segment ${segments[last]!.fileId}`;
  return { segments, sealed: mark.sealed };
}

/** The mark with which the covered part of a segment ends, if it is the one that must be there. */
function readMark(file: File, segment: CheckpointSegment): { sealed: boolean } | undefined {
  const at = segment.coveredLength - SYNC_FRAME_BYTES;
  if (at < 0 || segment.coveredLength > file.size()) return undefined;
  const frame = allocateBuffer(SYNC_FRAME_BYTES);
  const header = new FrameHeader();
  const count = readFully(file, frame.bytes, 0, SYNC_FRAME_BYTES, at);
  if (decodeFrame(frame, 0, count, header) !== FRAME_OK || header.op !== OP_SYNC) return undefined;
  const mark = decodeSyncMark(frame.view, 0, header.lsn);
  const isSame = mark.fileId === segment.fileId && mark.ownOffset === at &&
    mark.recordCount === segment.recordCount &&
    extendChain(mark.chain, readFrameCrc(frame.view, 0, SYNC_FRAME_BYTES)) === segment.chain;
  return isSame ? { sealed: mark.durableOffset === mark.ownOffset } : undefined;
}
