/**
 * Hint files: the index entries of a segment without its values, so that opening need not read the
 * segment. A hint covers the segment from its beginning up to and including one SYNC mark, and is
 * bound to it by the covered length, the record count and the checksum chain that this mark carries.
 * Layout: docs/format.md.
 *
 * ```text
 * header | block | block | … | end
 * block: byte_len u32 | CRC32 u32 | entries       end: 0 u32 | entry_count u32
 * ```
 */

import { KEY_BYTES_LIMIT } from "../limits.ts";
import { crc32 } from "./crc32.ts";
import { FORMAT_VERSION, readU64, writeU64 } from "./record.ts";

/** First four bytes of a hint file: F1 43 52 48. */
export const HINT_MAGIC = 0x485243f1;

/** Offsets of the fields of a hint file's header. */
export const HINT_FIELDS = {
  magic: 0,
  version: 4,
  reserved: 6,
  fileId: 8,
  coveredLength: 12,
  recordCount: 16,
  chain: 20,
  controlBytes: 24,
  lastLsn: 28,
  crc: 36,
} as const;
/** Length of a hint file's header. */
export const HINT_HEADER_BYTES = HINT_FIELDS.crc + 4;
/** Length of a block's header: byte_len and CRC32. */
export const HINT_BLOCK_HEADER_BYTES = 8;

/** Offsets of the fields of a hint entry; with OP 2 expires_at u64 follows; then the key. */
export const HINT_ENTRY_FIELDS = {
  op: 0,
  keyLengthMinusOne: 1,
  lsnLow: 3,
  lsnHigh: 7,
  offset: 9,
  frameLength: 13,
  crc: 17,
} as const;
/** Length of a hint entry before its expiry and key. */
export const HINT_ENTRY_BYTES = HINT_ENTRY_FIELDS.crc + 4;
/** Longest possible hint entry. */
export const HINT_ENTRY_BYTES_MAX = HINT_ENTRY_BYTES + 8 + KEY_BYTES_LIMIT;
/** A block ends once its entries are this long together; the last one may reach beyond. */
export const HINT_BLOCK_BYTES_MAX = 256 * 1024;

/** What the header of a hint file says. */
export interface HintHeader {
  fileId: number;
  /** The hint stands for the first so many bytes of the segment. */
  coveredLength: number;
  /** Data records in those bytes (the hint leaves out those that were superseded). */
  recordCount: number;
  /** The checksum chain before the SYNC mark at the end of those bytes. */
  chain: number;
  /** Bytes of control records among them. */
  controlBytes: number;
  /** Newest LSN among them. */
  lastLsn: number;
}

/** Encodes the header of a hint file. */
export function encodeHintHeader(header: HintHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HINT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(HINT_FIELDS.magic, HINT_MAGIC, true);
  view.setUint16(HINT_FIELDS.version, FORMAT_VERSION, true);
  view.setUint32(HINT_FIELDS.fileId, header.fileId, true);
  view.setUint32(HINT_FIELDS.coveredLength, header.coveredLength, true);
  view.setUint32(HINT_FIELDS.recordCount, header.recordCount, true);
  view.setUint32(HINT_FIELDS.chain, header.chain, true);
  view.setUint32(HINT_FIELDS.controlBytes, header.controlBytes, true);
  writeU64(view, HINT_FIELDS.lastLsn, header.lastLsn);
  view.setUint32(HINT_FIELDS.crc, crc32(bytes, 0, HINT_FIELDS.crc), true);
  return bytes;
}

/** Decodes the header of a hint file; on any damage returns what is wrong instead. */
export function decodeHintHeader(bytes: Uint8Array): HintHeader | string {
  if (bytes.length < HINT_HEADER_BYTES) return "it is too short";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(HINT_FIELDS.magic, true) !== HINT_MAGIC) return "wrong magic number";
  if (view.getUint16(HINT_FIELDS.version, true) !== FORMAT_VERSION) return "unknown version";
  if (view.getUint32(HINT_FIELDS.crc, true) !== crc32(bytes, 0, HINT_FIELDS.crc)) {
    return "the checksum of its header does not match";
  }
  return {
    fileId: view.getUint32(HINT_FIELDS.fileId, true),
    coveredLength: view.getUint32(HINT_FIELDS.coveredLength, true),
    recordCount: view.getUint32(HINT_FIELDS.recordCount, true),
    chain: view.getUint32(HINT_FIELDS.chain, true),
    controlBytes: view.getUint32(HINT_FIELDS.controlBytes, true),
    lastLsn: readU64(view, HINT_FIELDS.lastLsn),
  };
}
