/**
 * Control records: the frames of a segment that are not about a key. They have no LSN of their own;
 * their LSN field refers to one. Layouts are specified in docs/format.md.
 *
 * - SEGMENT, always the first frame of a file, says which file of which store this is.
 * - SYNC says how much of the file was durable when the frame was written. It is what lets recovery
 *   tell a torn tail, which may be cut off, from damage to what was acknowledged, which may not. It
 *   also carries the number of records and a checksum chain over all frames before it. It names its
 *   own offset and file, so that a copy of it inside somebody's value is never taken for a real one.
 * - BATCH announces how many frames after it take effect together.
 */

import { assert } from "../assert.ts";
import {
  BATCH_VALUE_BYTES,
  type ByteBuffer,
  finishFrame,
  FRAME_HEADER_BYTES,
  frameLengthOf,
  OP_BATCH,
  OP_SEGMENT,
  OP_SYNC,
  readU64,
  SEGMENT_VALUE_BYTES,
  SYNC_VALUE_BYTES,
  writeFrameHeader,
  writeU64,
} from "./record.ts";

/** Length of a SEGMENT frame. */
export const SEGMENT_FRAME_BYTES = frameLengthOf(0, SEGMENT_VALUE_BYTES);
/** Length of a SYNC frame. */
export const SYNC_FRAME_BYTES = frameLengthOf(0, SYNC_VALUE_BYTES);
/** Length of a BATCH frame. */
export const BATCH_FRAME_BYTES = frameLengthOf(0, BATCH_VALUE_BYTES);

/** Offsets in the value of a SEGMENT frame. */
export const SEGMENT_FIELDS = { fileId: 0, flags: 4, createdAt: 8, nodeId: 16 } as const;
/** Offsets in the value of a SYNC frame. */
export const SYNC_FIELDS = {
  durableOffset: 0,
  ownOffset: 4,
  fileId: 8,
  recordCount: 12,
  chain: 16,
} as const;
/** Offsets in the value of a BATCH frame. */
export const BATCH_FIELDS = { count: 0, byteLength: 4 } as const;

/** Flag of a SEGMENT frame: written by compaction, so LSNs may have gaps. */
export const SEGMENT_FLAG_COMPACTED = 1;
/** Length of a node id. */
export const NODE_ID_BYTES = 16;

/** What the first frame of a segment says. */
export interface SegmentHeader {
  fileId: number;
  /** Written by compaction: LSNs ascend with gaps. Otherwise they ascend by exactly one. */
  compacted: boolean;
  /** When the file was created, in milliseconds since the epoch; for people, not for decisions. */
  createdAt: number;
  /** Identity of the store. */
  nodeId: Uint8Array;
  /** No record in the file has a smaller LSN; in a file not compacted, the first has this one. */
  firstLsn: number;
}

/** Writes a SEGMENT frame at `at` and returns its CRC. */
export function encodeSegmentHeader(buffer: ByteBuffer, at: number, header: SegmentHeader): number {
  assert(header.nodeId.length === NODE_ID_BYTES, "a node id has 16 bytes");
  const { view, bytes } = buffer;
  writeFrameHeader(view, at, OP_SEGMENT, header.firstLsn, 0, SEGMENT_VALUE_BYTES);
  const value = at + FRAME_HEADER_BYTES;
  view.setUint32(value + SEGMENT_FIELDS.fileId, header.fileId, true);
  view.setUint32(value + SEGMENT_FIELDS.flags, header.compacted ? SEGMENT_FLAG_COMPACTED : 0, true);
  writeU64(view, value + SEGMENT_FIELDS.createdAt, header.createdAt);
  bytes.set(header.nodeId, value + SEGMENT_FIELDS.nodeId);
  return finishFrame(buffer, at, SEGMENT_FRAME_BYTES);
}

/** Reads the fields of a SEGMENT frame whose checksum was found to hold. */
export function decodeSegmentHeader(
  buffer: ByteBuffer,
  at: number,
  firstLsn: number,
): SegmentHeader {
  const { view, bytes } = buffer;
  const value = at + FRAME_HEADER_BYTES;
  const nodeIdAt = value + SEGMENT_FIELDS.nodeId;
  return {
    fileId: view.getUint32(value + SEGMENT_FIELDS.fileId, true),
    compacted: (view.getUint32(value + SEGMENT_FIELDS.flags, true) & SEGMENT_FLAG_COMPACTED) !== 0,
    createdAt: readU64(view, value + SEGMENT_FIELDS.createdAt),
    nodeId: bytes.slice(nodeIdAt, nodeIdAt + NODE_ID_BYTES),
    firstLsn,
  };
}

/** What a SYNC frame says. */
export interface SyncMark {
  /** Every byte of the file before this offset was on stable storage when the mark was written. */
  durableOffset: number;
  /** Where this mark itself begins. */
  ownOffset: number;
  /** The file it belongs to. */
  fileId: number;
  /** Data records in the file before this mark. */
  recordCount: number;
  /** The checksum chain over all frames before this mark; see {@link extendChain}. */
  chain: number;
  /** The newest LSN below `durableOffset` (or the one before the file, if it holds none). */
  durableLsn: number;
}

/** Writes a SYNC frame at `at` and returns its CRC. */
export function encodeSyncMark(buffer: ByteBuffer, at: number, mark: SyncMark): number {
  const { view } = buffer;
  writeFrameHeader(view, at, OP_SYNC, mark.durableLsn, 0, SYNC_VALUE_BYTES);
  const value = at + FRAME_HEADER_BYTES;
  view.setUint32(value + SYNC_FIELDS.durableOffset, mark.durableOffset, true);
  view.setUint32(value + SYNC_FIELDS.ownOffset, mark.ownOffset, true);
  view.setUint32(value + SYNC_FIELDS.fileId, mark.fileId, true);
  view.setUint32(value + SYNC_FIELDS.recordCount, mark.recordCount, true);
  view.setUint32(value + SYNC_FIELDS.chain, mark.chain, true);
  return finishFrame(buffer, at, SYNC_FRAME_BYTES);
}

/** Reads the fields of a SYNC frame whose checksum was found to hold. */
export function decodeSyncMark(view: DataView, at: number, durableLsn: number): SyncMark {
  const value = at + FRAME_HEADER_BYTES;
  return {
    durableOffset: view.getUint32(value + SYNC_FIELDS.durableOffset, true),
    ownOffset: view.getUint32(value + SYNC_FIELDS.ownOffset, true),
    fileId: view.getUint32(value + SYNC_FIELDS.fileId, true),
    recordCount: view.getUint32(value + SYNC_FIELDS.recordCount, true),
    chain: view.getUint32(value + SYNC_FIELDS.chain, true),
    durableLsn,
  };
}

/** Writes a BATCH frame at `at` and returns its CRC. `lastLsn` is that of the batch's last record. */
export function encodeBatchHeader(
  buffer: ByteBuffer,
  at: number,
  lastLsn: number,
  count: number,
  byteLength: number,
): number {
  const { view } = buffer;
  writeFrameHeader(view, at, OP_BATCH, lastLsn, 0, BATCH_VALUE_BYTES);
  view.setUint32(at + FRAME_HEADER_BYTES + BATCH_FIELDS.count, count, true);
  view.setUint32(at + FRAME_HEADER_BYTES + BATCH_FIELDS.byteLength, byteLength, true);
  return finishFrame(buffer, at, BATCH_FRAME_BYTES);
}

/** Reads how many frames a BATCH frame announces, and their length together. */
export function decodeBatchHeader(
  view: DataView,
  at: number,
): { count: number; byteLength: number } {
  const value = at + FRAME_HEADER_BYTES;
  return {
    count: view.getUint32(value + BATCH_FIELDS.count, true),
    byteLength: view.getUint32(value + BATCH_FIELDS.byteLength, true),
  };
}

/** The checksum chain of an empty file: the offset basis of FNV-1a. */
export const CHAIN_START = 0x811c9dc5;

/**
 * Adds a frame's CRC to the checksum chain: FNV-1a, a 32-bit word at a time. The chain depends on
 * every frame and on their order, and costs a multiplication a record.
 */
export function extendChain(chain: number, crc: number): number {
  return Math.imul(chain ^ crc, 0x01000193) >>> 0;
}
