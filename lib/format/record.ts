/**
 * The record frame: how one record lies in a log segment. Pure functions over bytes; the layout is
 * specified in docs/format.md, which a test holds against the constants here.
 *
 * ```text
 * MAGIC u32 | VERSION u16 | OP u8 | LSN u64 | key_len u32 | val_len u32 | key | value | CRC32 u32
 * ```
 *
 * All numbers are little-endian. The CRC covers OP up to the end of the value: every byte that says
 * what the record means. MAGIC and VERSION are compared with constants instead.
 */

import {
  BATCH_BYTES_LIMIT,
  EXPIRES_AT_LIMIT,
  KEY_BYTES_LIMIT,
  LSN_LIMIT,
  VALUE_BYTES_LIMIT,
} from "../limits.ts";
import { crc32 } from "./crc32.ts";

/** First four bytes of every frame: F1 43 52 4E. No valid UTF-8 text holds that sequence. */
export const FRAME_MAGIC = 0x4e5243f1;
/** Format version of frames, hint files and ACTIVE. */
export const FORMAT_VERSION = 1;

/** Offset of MAGIC in a frame. */
export const MAGIC_OFFSET = 0;
/** Offset of VERSION in a frame. */
export const VERSION_OFFSET = MAGIC_OFFSET + 4;
/** Offset of OP in a frame; also where the checksummed part begins. */
export const OP_OFFSET = VERSION_OFFSET + 2;
/** Offset of LSN in a frame. */
export const LSN_OFFSET = OP_OFFSET + 1;
/** Offset of key_len in a frame. */
export const KEY_LENGTH_OFFSET = LSN_OFFSET + 8;
/** Offset of val_len in a frame. */
export const VALUE_LENGTH_OFFSET = KEY_LENGTH_OFFSET + 4;
/** Bytes before the key. */
export const FRAME_HEADER_BYTES = VALUE_LENGTH_OFFSET + 4;
/** Bytes after the value: the CRC. */
export const FRAME_TRAILER_BYTES = 4;
/** Bytes of a frame beside its key and value. */
export const FRAME_OVERHEAD_BYTES = FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES;

/** The key has this value. */
export const OP_SET = 0;
/** The key is deleted. */
export const OP_DELETE = 1;
/** The key has this value until a point in time: value = expires_at u64 (ms since epoch) | value. */
export const OP_SET_EXPIRING = 2;
/** The next `count` frames take effect together or not at all; see `control_record.ts`. */
export const OP_BATCH = 3;
/** What was durable when this was written; see `control_record.ts`. */
export const OP_SYNC = 4;
/** First frame of a segment; see `control_record.ts`. */
export const OP_SEGMENT = 5;
/** Highest operation code of this version. */
export const OP_MAX = OP_SEGMENT;

/** Bytes of expires_at before the value of an {@link OP_SET_EXPIRING} frame. */
export const EXPIRES_AT_BYTES = 8;

/** Whether a number is a possible expires_at. */
export function isExpiry(expiresAt: number): boolean {
  return expiresAt >= 1 && expiresAt <= EXPIRES_AT_LIMIT;
}

/** Whether a frame with this operation code is about a key, and so has a version of its own. */
export function isDataOp(op: number): boolean {
  return op <= OP_SET_EXPIRING;
}

/** Length of a frame with a key and a stored value of these lengths. */
export function frameLengthOf(keyLength: number, storedValueLength: number): number {
  return FRAME_OVERHEAD_BYTES + keyLength + storedValueLength;
}

/** A byte buffer with the view that reads and writes its numbers. */
export interface ByteBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
}

/** Allocates a buffer of `length` bytes. */
export function allocateBuffer(length: number): ByteBuffer {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** Writes an unsigned 64-bit number; `value` is a non-negative safe integer. */
export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, (value / 0x1_0000_0000) >>> 0, true);
}

/** Reads an unsigned 64-bit number; beyond 2^53 the result is rounded, so compare it with a limit. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
}

/** Writes the header of a frame at `at`. The key and the value follow it, then {@link finishFrame}. */
export function writeFrameHeader(
  view: DataView,
  at: number,
  op: number,
  lsn: number,
  keyLength: number,
  storedValueLength: number,
): void {
  view.setUint32(at + MAGIC_OFFSET, FRAME_MAGIC, true);
  view.setUint16(at + VERSION_OFFSET, FORMAT_VERSION, true);
  view.setUint8(at + OP_OFFSET, op);
  view.setUint32(at + LSN_OFFSET, lsn >>> 0, true);
  view.setUint32(at + LSN_OFFSET + 4, (lsn / 0x1_0000_0000) >>> 0, true);
  view.setUint32(at + KEY_LENGTH_OFFSET, keyLength, true);
  view.setUint32(at + VALUE_LENGTH_OFFSET, storedValueLength, true);
}

/** Writes the CRC of a frame whose other bytes are in place, and returns it. */
export function finishFrame(buffer: ByteBuffer, at: number, frameLength: number): number {
  const crcAt = at + frameLength - FRAME_TRAILER_BYTES;
  const crc = crc32(buffer.bytes, at + OP_OFFSET, crcAt);
  buffer.view.setUint32(crcAt, crc, true);
  return crc;
}

/** Computes the CRC of the frame at `at` anew from its bytes. */
export function computeFrameCrc(bytes: Uint8Array, at: number, frameLength: number): number {
  return crc32(bytes, at + OP_OFFSET, at + frameLength - FRAME_TRAILER_BYTES);
}

/** A frame is whole and its checksum holds. */
export const FRAME_OK = 0;
/** The bytes end before the frame does. */
export const FRAME_SHORT = 1;
/** The bytes do not begin with MAGIC. */
export const FRAME_BAD_MAGIC = 2;
/** The frame is of another format version. */
export const FRAME_BAD_VERSION = 3;
/** The operation code is unknown. */
export const FRAME_BAD_OP = 4;
/** A length or the LSN is beyond its limit, or does not fit the operation. */
export const FRAME_BAD_FIELD = 5;
/** The checksum does not hold. */
export const FRAME_BAD_CRC = 6;

/** What {@link decodeFrame} and {@link decodeFrameHeader} conclude. */
export type FrameStatus = number;

const FRAME_STATUS_TEXTS = [
  "frame is whole",
  "file ends inside a frame",
  "no frame begins here (wrong magic)",
  "frame has an unknown format version",
  "frame has an unknown operation code",
  "frame has an impossible length or LSN",
  "frame checksum does not match",
];

/** A {@link FrameStatus} in words. */
export function describeFrameStatus(status: FrameStatus): string {
  return FRAME_STATUS_TEXTS[status] ?? `unknown status ${status}`;
}

/** A decoded frame header. One object is reused for frame after frame. */
export class FrameHeader {
  op = 0;
  lsn = 0;
  keyLength = 0;
  /** Length of the value field, with expires_at if the operation has one. */
  storedValueLength = 0;
  /** Length of the whole frame. */
  frameLength = 0;
}

/**
 * Decodes the header at `at`, given that `available` bytes follow from there in the file. Nothing is
 * believed before it was compared with its limit, and no length beyond `available` is accepted.
 */
export function decodeFrameHeader(
  view: DataView,
  at: number,
  available: number,
  header: FrameHeader,
): FrameStatus {
  if (available < FRAME_OVERHEAD_BYTES) return FRAME_SHORT;
  if (view.getUint32(at + MAGIC_OFFSET, true) !== FRAME_MAGIC) return FRAME_BAD_MAGIC;
  if (view.getUint16(at + VERSION_OFFSET, true) !== FORMAT_VERSION) return FRAME_BAD_VERSION;
  const op = view.getUint8(at + OP_OFFSET);
  if (op > OP_MAX) return FRAME_BAD_OP;
  const lsn = readU64(view, at + LSN_OFFSET);
  const keyLength = view.getUint32(at + KEY_LENGTH_OFFSET, true);
  const storedValueLength = view.getUint32(at + VALUE_LENGTH_OFFSET, true);
  if (lsn > LSN_LIMIT || !lengthsFit(op, keyLength, storedValueLength)) return FRAME_BAD_FIELD;
  header.op = op;
  header.lsn = lsn;
  header.keyLength = keyLength;
  header.storedValueLength = storedValueLength;
  header.frameLength = FRAME_OVERHEAD_BYTES + keyLength + storedValueLength;
  return header.frameLength > available ? FRAME_SHORT : FRAME_OK;
}

/** Decodes and checks the whole frame at `at`, all of whose bytes up to `available` are in memory. */
export function decodeFrame(
  buffer: ByteBuffer,
  at: number,
  available: number,
  header: FrameHeader,
): FrameStatus {
  const status = decodeFrameHeader(buffer.view, at, available, header);
  if (status !== FRAME_OK) return status;
  const stored = readFrameCrc(buffer.view, at, header.frameLength);
  return stored === computeFrameCrc(buffer.bytes, at, header.frameLength)
    ? FRAME_OK
    : FRAME_BAD_CRC;
}

/** The CRC stored in the frame at `at`. */
export function readFrameCrc(view: DataView, at: number, frameLength: number): number {
  return view.getUint32(at + frameLength - FRAME_TRAILER_BYTES, true);
}

function lengthsFit(op: number, keyLength: number, storedValueLength: number): boolean {
  switch (op) {
    case OP_SET:
      return keyLength >= 1 && keyLength <= KEY_BYTES_LIMIT &&
        storedValueLength <= VALUE_BYTES_LIMIT;
    case OP_SET_EXPIRING:
      return keyLength >= 1 && keyLength <= KEY_BYTES_LIMIT &&
        storedValueLength >= EXPIRES_AT_BYTES &&
        storedValueLength <= VALUE_BYTES_LIMIT + EXPIRES_AT_BYTES;
    case OP_DELETE:
      return keyLength >= 1 && keyLength <= KEY_BYTES_LIMIT && storedValueLength === 0;
    case OP_BATCH:
      return keyLength === 0 && storedValueLength === BATCH_VALUE_BYTES;
    case OP_SYNC:
      return keyLength === 0 && storedValueLength === SYNC_VALUE_BYTES;
    default:
      return keyLength === 0 && storedValueLength === SEGMENT_VALUE_BYTES;
  }
}

/** Length of the value of a BATCH frame. */
export const BATCH_VALUE_BYTES = 8;
/** Length of the value of a SYNC frame. */
export const SYNC_VALUE_BYTES = 20;
/** Length of the value of a SEGMENT frame. */
export const SEGMENT_VALUE_BYTES = 32;

/** The longest possible frame of one record, in bytes. */
export const FRAME_BYTES_LIMIT = FRAME_OVERHEAD_BYTES + KEY_BYTES_LIMIT + EXPIRES_AT_BYTES +
  VALUE_BYTES_LIMIT;

if (FRAME_BYTES_LIMIT > BATCH_BYTES_LIMIT) throw new Error("a record must fit a batch");
