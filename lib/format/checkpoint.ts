/**
 * The file CHECKPOINT: the index as it stood at some moment, so that opening need not build it from
 * the log. It is bound to the segments it stands for by their lengths and checksum chains. Layout:
 * docs/format.md.
 *
 * ```text
 * header | segments | CRC32 u32 | block | block | … | end
 * block: byte_len u32 | CRC32 u32 | words         end: 0 u32 | block_count u32
 * ```
 */

import { NODE_ID_BYTES } from "./control_record.ts";
import { crc32 } from "./crc32.ts";
import { FORMAT_VERSION, readU64, writeU64 } from "./record.ts";

/** First four bytes of CHECKPOINT: F1 43 52 43. */
export const CHECKPOINT_MAGIC = 0x435243f1;
/** How a word with the bytes 1, 2, 3, 4 reads on the machine that wrote the words. */
export const CHECKPOINT_BYTE_ORDER = new Uint32Array(Uint8Array.of(1, 2, 3, 4).buffer)[0]!;

/** Offsets of the fields of the header; the segments follow, then a CRC over everything before it. */
export const CHECKPOINT_FIELDS = {
  magic: 0,
  version: 4,
  reserved: 6,
  nodeId: 8,
  byteOrder: 24,
  count: 28,
  segments: 32,
} as const;
/** Offsets of the fields of a segment. */
export const CHECKPOINT_SEGMENT_FIELDS = {
  fileId: 0,
  coveredLength: 4,
  chain: 8,
  recordCount: 12,
  controlBytes: 16,
  tombstoneBytes: 20,
  aliveBytes: 24,
  hintedLength: 28,
  lastLsn: 32,
} as const;
/** Bytes of a segment. */
export const CHECKPOINT_SEGMENT_BYTES = CHECKPOINT_SEGMENT_FIELDS.lastLsn + 8;
/** Bytes of a block's header: byte_len and CRC32. */
export const CHECKPOINT_BLOCK_HEADER_BYTES = 8;
/** Longest block, and the length of most: a page of the index. */
export const CHECKPOINT_BLOCK_BYTES_MAX = 128 * 1024;

/** A segment as a checkpoint covers it. */
export interface CheckpointSegment {
  fileId: number;
  /** The checkpoint stands for the first so many bytes of the segment. */
  coveredLength: number;
  /** The checksum chain over all frames in them. */
  chain: number;
  /** Data records in them. */
  recordCount: number;
  /** Bytes of control records among them. */
  controlBytes: number;
  /** Bytes of deletes among them. */
  tombstoneBytes: number;
  /** Bytes of records among them that were the state of a key. */
  aliveBytes: number;
  /** How many of these bytes a hint file stood for. */
  hintedLength: number;
  /** Newest LSN among them. */
  lastLsn: number;
}

/** What the beginning of a checkpoint says. */
export interface CheckpointHeader {
  /** Identity of the store. */
  nodeId: Uint8Array;
  /** The segments in order of their LSNs; the last one may have been appended to since. */
  segments: CheckpointSegment[];
}

/** Bytes of a header with `count` segments and its CRC. */
export function checkpointHeaderBytes(count: number): number {
  return CHECKPOINT_FIELDS.segments + CHECKPOINT_SEGMENT_BYTES * count + 4;
}

/** Encodes the header with its segments and CRC. */
export function encodeCheckpointHeader(header: CheckpointHeader): Uint8Array<ArrayBuffer> {
  const { segments } = header;
  const bytes = new Uint8Array(checkpointHeaderBytes(segments.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(CHECKPOINT_FIELDS.magic, CHECKPOINT_MAGIC, true);
  view.setUint16(CHECKPOINT_FIELDS.version, FORMAT_VERSION, true);
  bytes.set(header.nodeId, CHECKPOINT_FIELDS.nodeId);
  view.setUint32(CHECKPOINT_FIELDS.byteOrder, CHECKPOINT_BYTE_ORDER, true);
  view.setUint32(CHECKPOINT_FIELDS.count, segments.length, true);
  let at: number = CHECKPOINT_FIELDS.segments;
  for (const segment of segments) {
    for (const name of NUMBERS_32) {
      view.setUint32(at + CHECKPOINT_SEGMENT_FIELDS[name], segment[name], true);
    }
    writeU64(view, at + CHECKPOINT_SEGMENT_FIELDS.lastLsn, segment.lastLsn);
    at += CHECKPOINT_SEGMENT_BYTES;
  }
  view.setUint32(at, crc32(bytes, 0, at), true);
  return bytes;
}

/** Decodes the header with its segments; says what is wrong instead, if anything is. */
export function decodeCheckpointHeader(bytes: Uint8Array): CheckpointHeader | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = readCheckpointCount(bytes);
  if (typeof count === "string") return count;
  const at = checkpointHeaderBytes(count) - 4;
  if (bytes.length < at + 4) return "it is too short";
  if (view.getUint32(at, true) !== crc32(bytes, 0, at)) {
    return "the checksum of its header does not match";
  }
  if (view.getUint32(CHECKPOINT_FIELDS.byteOrder, true) !== CHECKPOINT_BYTE_ORDER) {
    return "it was written by a machine of the other byte order";
  }
  return {
    nodeId: bytes.slice(CHECKPOINT_FIELDS.nodeId, CHECKPOINT_FIELDS.nodeId + NODE_ID_BYTES),
    segments: Array.from({ length: count }, (_, index) => decodeSegment(view, index)),
  };
}

/** How many segments a header announces that begins with `bytes`; or what is wrong with it. */
export function readCheckpointCount(bytes: Uint8Array): number | string {
  if (bytes.length < CHECKPOINT_FIELDS.segments) return "it is too short";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(CHECKPOINT_FIELDS.magic, true) !== CHECKPOINT_MAGIC) {
    return "wrong magic number";
  }
  if (view.getUint16(CHECKPOINT_FIELDS.version, true) !== FORMAT_VERSION) return "unknown version";
  const count = view.getUint32(CHECKPOINT_FIELDS.count, true);
  return count === 0 ? "it stands for no segment" : count;
}

const NUMBERS_32 = [
  "fileId",
  "coveredLength",
  "chain",
  "recordCount",
  "controlBytes",
  "tombstoneBytes",
  "aliveBytes",
  "hintedLength",
] as const;

function decodeSegment(view: DataView, index: number): CheckpointSegment {
  const at = CHECKPOINT_FIELDS.segments + CHECKPOINT_SEGMENT_BYTES * index;
  const number = (name: typeof NUMBERS_32[number]) =>
    view.getUint32(at + CHECKPOINT_SEGMENT_FIELDS[name], true);
  return {
    fileId: number("fileId"),
    coveredLength: number("coveredLength"),
    chain: number("chain"),
    recordCount: number("recordCount"),
    controlBytes: number("controlBytes"),
    tombstoneBytes: number("tombstoneBytes"),
    aliveBytes: number("aliveBytes"),
    hintedLength: number("hintedLength"),
    lastLsn: readU64(view, at + CHECKPOINT_SEGMENT_FIELDS.lastLsn),
  };
}
