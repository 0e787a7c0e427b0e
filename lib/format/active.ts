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

/** Offsets of the fields of ACTIVE; the file ids follow, then a CRC over everything before it. */
export const ACTIVE_FIELDS = {
  magic: 0,
  version: 4,
  reserved: 6,
  nodeId: 8,
  droppedLsn: 24,
  nextFileId: 32,
  count: 36,
  fileIds: 40,
} as const;

/** Segments a log may have; bounds what is read of a damaged file. */
export const SEGMENTS_LIMIT = 1_000_000;
/** Longest possible ACTIVE. */
export const ACTIVE_BYTES_LIMIT = ACTIVE_FIELDS.fileIds + 4 * SEGMENTS_LIMIT + 4;

/** The content of ACTIVE. */
export interface ActiveState {
  /** Identity of the store. */
  nodeId: Uint8Array;
  /** The newest delete or expired record that compaction has dropped; 0 if none. */
  droppedLsn: number;
  /** Every id below was given to a file at some time; ids are not reused. */
  nextFileId: number;
  /** The segments in order of their LSNs; the last one is being appended to. */
  fileIds: number[];
}

/** Encodes ACTIVE. */
export function encodeActive(state: ActiveState): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ACTIVE_FIELDS.fileIds + 4 * state.fileIds.length + 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(ACTIVE_FIELDS.magic, ACTIVE_MAGIC, true);
  view.setUint16(ACTIVE_FIELDS.version, FORMAT_VERSION, true);
  bytes.set(state.nodeId, ACTIVE_FIELDS.nodeId);
  writeU64(view, ACTIVE_FIELDS.droppedLsn, state.droppedLsn);
  view.setUint32(ACTIVE_FIELDS.nextFileId, state.nextFileId, true);
  view.setUint32(ACTIVE_FIELDS.count, state.fileIds.length, true);
  state.fileIds.forEach((id, index) => view.setUint32(ACTIVE_FIELDS.fileIds + 4 * index, id, true));
  view.setUint32(bytes.length - 4, crc32(bytes, 0, bytes.length - 4), true);
  return bytes;
}

/** Why ACTIVE could not be decoded. */
export interface ActiveProblem {
  /** The file is of a format this version does not know, rather than damaged. */
  unsupported: boolean;
  message: string;
}

/** Decodes ACTIVE; on any damage says what is wrong instead. */
export function decodeActive(bytes: Uint8Array): ActiveState | ActiveProblem {
  const damaged = (message: string): ActiveProblem => ({ unsupported: false, message });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < ACTIVE_FIELDS.fileIds + 4) return damaged("it is too short");
  if (view.getUint32(ACTIVE_FIELDS.magic, true) !== ACTIVE_MAGIC) {
    return damaged("it does not begin with the magic number");
  }
  const version = view.getUint16(ACTIVE_FIELDS.version, true);
  if (version > FORMAT_VERSION) {
    return {
      unsupported: true,
      message: `it is of format version ${version}, and this Cairn knows up to ${FORMAT_VERSION}`,
    };
  }
  if (view.getUint32(bytes.length - 4, true) !== crc32(bytes, 0, bytes.length - 4)) {
    return damaged("its checksum does not match");
  }
  const count = view.getUint32(ACTIVE_FIELDS.count, true);
  if (bytes.length !== ACTIVE_FIELDS.fileIds + 4 * count + 4) {
    return damaged("its length does not fit the number of segments");
  }
  const state: ActiveState = {
    nodeId: bytes.slice(ACTIVE_FIELDS.nodeId, ACTIVE_FIELDS.nodeId + NODE_ID_BYTES),
    droppedLsn: readU64(view, ACTIVE_FIELDS.droppedLsn),
    nextFileId: view.getUint32(ACTIVE_FIELDS.nextFileId, true),
    fileIds: Array.from(
      { length: count },
      (_, index) => view.getUint32(ACTIVE_FIELDS.fileIds + 4 * index, true),
    ),
  };
  const wrong = findContradiction(state, version);
  return wrong === undefined ? state : damaged(wrong);
}

function findContradiction(state: ActiveState, version: number): string | undefined {
  if (version !== FORMAT_VERSION) return `format version ${version} does not exist`;
  if (state.fileIds.length === 0) return "it names no segment";
  if (state.droppedLsn > LSN_LIMIT) return "its dropped LSN is impossible";
  if (state.nextFileId > FILE_ID_LIMIT) return "its next file id is impossible";
  if (new Set(state.fileIds).size !== state.fileIds.length) return "it names a segment twice";
  if (state.fileIds.some((id) => id < 1 || id >= state.nextFileId)) {
    return "it names a segment that was never created";
  }
  return undefined;
}
