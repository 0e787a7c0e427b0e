/**
 * The file ACTIVE: which segments are the log, in order, and which one is being appended to. It is
 * small, and replaced as a whole by an atomic rename. Layout: docs/format.md.
 */

import { FILE_ID_LIMIT, LSN_LIMIT } from "../limits.ts";
import { NODE_ID_BYTES } from "./control_record.ts";
import { crc32 } from "./crc32.ts";
import { FORMAT_VERSION, readU64, writeU64 } from "./record.ts";

/** First four bytes of ACTIVE: F1 43 52 41. */
export const ACTIVE_MAGIC = 0x415243f1;

/**
 * What stands in the place of ACTIVE while a store is being copied or salvaged into a directory: no
 * ACTIVE, so that nobody takes what is there for a store, or for a place to begin a new one in.
 */
export const ACTIVE_UNFINISHED: Uint8Array<ArrayBuffer> = new TextEncoder().encode(
  "This store is unfinished: a backup, restore or repair is writing it, or was interrupted.\n",
);

/** Offsets of the fields of ACTIVE; the segments follow, then a CRC over everything before it. */
export const ACTIVE_FIELDS = {
  magic: 0,
  version: 4,
  reserved: 6,
  nodeId: 8,
  droppedLsn: 24,
  nextFileId: 32,
  count: 36,
  segments: 40,
} as const;
/** Offsets of the fields of a segment in ACTIVE. */
export const ACTIVE_SEGMENT_FIELDS = { fileId: 0, length: 4, chain: 8 } as const;
/** Bytes of a segment in ACTIVE. */
export const ACTIVE_SEGMENT_BYTES = 12;

/** Segments a log may have; bounds what is read of a damaged file. */
export const SEGMENTS_LIMIT = 1_000_000;
/** Longest possible ACTIVE. */
export const ACTIVE_BYTES_LIMIT = ACTIVE_FIELDS.segments + ACTIVE_SEGMENT_BYTES * SEGMENTS_LIMIT +
  4;

/** A segment as ACTIVE names it. */
export interface ActiveSegment {
  fileId: number;
  /**
   * Length of a closed segment in bytes. Of the one that is being appended to, how much was durable
   * when ACTIVE was written: it is never shorter again.
   */
  length: number;
  /** The checksum chain over all frames of a closed segment; 0 for the one appended to. */
  chain: number;
}

/** The content of ACTIVE. */
export interface ActiveState {
  /** Identity of the store. */
  nodeId: Uint8Array;
  /** The newest delete or expired record that compaction has dropped; 0 if none. */
  droppedLsn: number;
  /** Every id below was given to a file at some time; ids are not reused. */
  nextFileId: number;
  /** The segments in order of their LSNs; the last one is being appended to. */
  segments: ActiveSegment[];
}

/** Encodes ACTIVE. */
export function encodeActive(state: ActiveState): Uint8Array<ArrayBuffer> {
  const { segments } = state;
  const bytes = new Uint8Array(segmentAt(segments.length) + 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(ACTIVE_FIELDS.magic, ACTIVE_MAGIC, true);
  view.setUint16(ACTIVE_FIELDS.version, FORMAT_VERSION, true);
  bytes.set(state.nodeId, ACTIVE_FIELDS.nodeId);
  writeU64(view, ACTIVE_FIELDS.droppedLsn, state.droppedLsn);
  view.setUint32(ACTIVE_FIELDS.nextFileId, state.nextFileId, true);
  view.setUint32(ACTIVE_FIELDS.count, segments.length, true);
  segments.forEach(({ fileId, length, chain }, index) => {
    const at = segmentAt(index);
    view.setUint32(at + ACTIVE_SEGMENT_FIELDS.fileId, fileId, true);
    view.setUint32(at + ACTIVE_SEGMENT_FIELDS.length, length, true);
    view.setUint32(at + ACTIVE_SEGMENT_FIELDS.chain, chain, true);
  });
  view.setUint32(bytes.length - 4, crc32(bytes, 0, bytes.length - 4), true);
  return bytes;
}

/** Why ACTIVE could not be decoded. */
export interface ActiveProblem {
  /** The file is of a format this version does not know, rather than damaged. */
  unsupported: boolean;
  /** The store was still being copied or salvaged here. */
  unfinished: boolean;
  message: string;
}

/** Decodes ACTIVE; on any damage says what is wrong instead. */
export function decodeActive(bytes: Uint8Array): ActiveState | ActiveProblem {
  const damaged = (message: string): ActiveProblem => ({
    unsupported: false,
    unfinished: false,
    message,
  });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUnfinished(bytes)) {
    return {
      unsupported: false,
      unfinished: true,
      message: "the store is unfinished: a backup, restore or repair was writing it",
    };
  }
  if (bytes.length < segmentAt(0) + 4) return damaged("it is too short");
  if (view.getUint32(ACTIVE_FIELDS.magic, true) !== ACTIVE_MAGIC) {
    return damaged("it does not begin with the magic number");
  }
  const version = view.getUint16(ACTIVE_FIELDS.version, true);
  if (version > FORMAT_VERSION) {
    return {
      unsupported: true,
      unfinished: false,
      message: `it is of format version ${version}, and this Cairn knows up to ${FORMAT_VERSION}`,
    };
  }
  if (view.getUint32(bytes.length - 4, true) !== crc32(bytes, 0, bytes.length - 4)) {
    return damaged("its checksum does not match");
  }
  const count = view.getUint32(ACTIVE_FIELDS.count, true);
  if (bytes.length !== segmentAt(count) + 4) {
    return damaged("its length does not fit the number of segments");
  }
  const state: ActiveState = {
    nodeId: bytes.slice(ACTIVE_FIELDS.nodeId, ACTIVE_FIELDS.nodeId + NODE_ID_BYTES),
    droppedLsn: readU64(view, ACTIVE_FIELDS.droppedLsn),
    nextFileId: view.getUint32(ACTIVE_FIELDS.nextFileId, true),
    segments: Array.from({ length: count }, (_, index) => decodeSegment(view, segmentAt(index))),
  };
  const wrong = findContradiction(state, version);
  return wrong === undefined ? state : damaged(wrong);
}

/** Whether these are the bytes of {@link ACTIVE_UNFINISHED}. */
export function isUnfinished(bytes: Uint8Array): boolean {
  return bytes.length === ACTIVE_UNFINISHED.length &&
    bytes.every((byte, index) => byte === ACTIVE_UNFINISHED[index]);
}

function segmentAt(index: number): number {
  return ACTIVE_FIELDS.segments + ACTIVE_SEGMENT_BYTES * index;
}

function decodeSegment(view: DataView, at: number): ActiveSegment {
  return {
    fileId: view.getUint32(at + ACTIVE_SEGMENT_FIELDS.fileId, true),
    length: view.getUint32(at + ACTIVE_SEGMENT_FIELDS.length, true),
    chain: view.getUint32(at + ACTIVE_SEGMENT_FIELDS.chain, true),
  };
}

function findContradiction(state: ActiveState, version: number): string | undefined {
  if (version !== FORMAT_VERSION) return `format version ${version} does not exist`;
  const { segments } = state;
  if (segments.length === 0) return "it names no segment";
  if (state.droppedLsn > LSN_LIMIT) return "its dropped LSN is impossible";
  if (state.nextFileId > FILE_ID_LIMIT) return "its next file id is impossible";
  if (new Set(segments.map(({ fileId }) => fileId)).size !== segments.length) {
    return "it names a segment twice";
  }
  if (segments.some(({ fileId }) => fileId < 1 || fileId >= state.nextFileId)) {
    return "it names a segment that was never created";
  }
  return undefined;
}
