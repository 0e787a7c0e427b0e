/**
 * Encodes records into the log writer's buffer: first the key, so that it can be hashed and looked
 * up where it lies; then, once the conditions hold, the rest of the frame around it. A key that is
 * not followed up leaves no trace. Nothing is allocated for a record.
 */

import { Buffer } from "node:buffer";
import { assert } from "../assert.ts";
import { KvError } from "../errors.ts";
import { BATCH_FRAME_BYTES } from "../format/control_record.ts";
import { copyBytes } from "../format/copy_bytes.ts";
import { encodeKey, keyRoom, showKey } from "../format/key.ts";
import {
  EXPIRES_AT_BYTES,
  finishFrame,
  FRAME_HEADER_BYTES,
  FRAME_OVERHEAD_BYTES,
  FRAME_TRAILER_BYTES,
  OP_DELETE,
  OP_SET,
  OP_SET_EXPIRING,
  writeFrameHeader,
  writeU64,
} from "../format/record.ts";
import type { KeyIndex } from "../index/key_index.ts";
import { BATCH_BYTES_LIMIT } from "../limits.ts";
import type { LogWriter } from "../log/log_writer.ts";
import { showValue } from "./options.ts";
import type { BatchOp, KeyInput, ValueInput } from "./types.ts";

const encoder = new TextEncoder();
/** Strings up to this many characters get room for the worst case instead of being measured. */
const UNMEASURED_CHARACTERS_MAX = 4096;

/** The record being encoded: its place in the writer's buffer, and what the index needs of it. */
export class RecordEncoder {
  /** Where the frame begins in the writer's buffer. */
  at = 0;
  keyLength = 0;
  hash = 0;
  frameLength = 0;
  crc = 0;

  #writer: LogWriter;
  #index: KeyIndex;
  #keyBytesMax: number;
  #valueBytesMax: number;

  constructor(writer: LogWriter, index: KeyIndex, keyBytesMax: number, valueBytesMax: number) {
    this.#writer = writer;
    this.#index = index;
    this.#keyBytesMax = keyBytesMax;
    this.#valueBytesMax = valueBytesMax;
  }

  /** Where the key begins in the writer's buffer. */
  get keyStart(): number {
    return this.at + FRAME_HEADER_BYTES;
  }

  /** Bytes that a frame of this key without a value may take at most. */
  room(key: KeyInput): number {
    return FRAME_OVERHEAD_BYTES + EXPIRES_AT_BYTES + keyRoom(key, this.#keyBytesMax);
  }

  /** As {@link room}, for the frame of a set. Throws for unusable values. */
  roomOfSet(key: KeyInput, value: ValueInput): number {
    return this.room(key) + this.#valueRoom(key, value);
  }

  /** Encodes the key `skip` bytes behind the writer's end, where there is {@link room}. */
  beginAt(at: number, key: KeyInput): void {
    this.at = at;
    const { bytes } = this.#writer.buffer;
    this.keyLength = encodeKey(key, bytes, at + FRAME_HEADER_BYTES, this.#keyBytesMax);
    this.hash = this.#index.hash(bytes, at + FRAME_HEADER_BYTES, this.keyLength);
  }

  /** Completes the frame of a set; `expiresAt` 0 means never. */
  finishSet(key: KeyInput, value: ValueInput, expiresAt: number, lsn: number): void {
    const { buffer } = this.#writer;
    const { at, keyLength } = this;
    let valueAt = at + FRAME_HEADER_BYTES + keyLength;
    if (expiresAt !== 0) {
      writeU64(buffer.view, valueAt, expiresAt);
      valueAt += EXPIRES_AT_BYTES;
    }
    const valueLength = typeof value === "string"
      ? this.#encodeText(key, value, valueAt)
      : value.length;
    if (typeof value !== "string") buffer.bytes.set(value, valueAt);
    const storedValueLength = valueLength + (expiresAt === 0 ? 0 : EXPIRES_AT_BYTES);
    const op = expiresAt === 0 ? OP_SET : OP_SET_EXPIRING;
    this.frameLength = FRAME_OVERHEAD_BYTES + keyLength + storedValueLength;
    writeFrameHeader(buffer.view, at, op, lsn, keyLength, storedValueLength);
    this.crc = finishFrame(buffer, at, this.frameLength);
  }

  /** As {@link beginAt}, with a key of ASCII that lies in `source`. */
  beginBytesAt(at: number, source: Uint8Array, start: number, end: number): void {
    this.at = at;
    const { bytes } = this.#writer.buffer;
    this.keyLength = end - start;
    copyBytes(source, start, end, bytes, at + FRAME_HEADER_BYTES);
    this.hash = this.#index.hash(bytes, at + FRAME_HEADER_BYTES, this.keyLength);
  }

  /** As {@link finishSet}, with a value that lies in `source` and does not expire. */
  finishSetBytes(source: Uint8Array, start: number, end: number, lsn: number): void {
    const { buffer } = this.#writer;
    const { at, keyLength } = this;
    copyBytes(source, start, end, buffer.bytes, at + FRAME_HEADER_BYTES + keyLength);
    this.frameLength = FRAME_OVERHEAD_BYTES + keyLength + end - start;
    writeFrameHeader(buffer.view, at, OP_SET, lsn, keyLength, end - start);
    this.crc = finishFrame(buffer, at, this.frameLength);
  }

  /** Bytes that the frames of a batch may take at most. Throws for unusable values, or too many. */
  roomOfBatch(ops: BatchOp[]): number {
    let room = BATCH_FRAME_BYTES;
    for (const op of ops) {
      room += op.op === "set" ? this.roomOfSet(op.key, op.value) : this.room(op.key);
    }
    if (room <= BATCH_BYTES_LIMIT) return room;
    throw new KvError(
      "InvalidArgument",
      `Batch may take ${room} bytes: at most ${BATCH_BYTES_LIMIT} are allowed, split it`,
    );
  }

  /** Completes the frame of a delete. */
  finishDelete(lsn: number): void {
    this.frameLength = FRAME_OVERHEAD_BYTES + this.keyLength;
    writeFrameHeader(this.#writer.buffer.view, this.at, OP_DELETE, lsn, this.keyLength, 0);
    this.crc = finishFrame(this.#writer.buffer, this.at, this.frameLength);
  }

  #encodeText(key: KeyInput, value: string, at: number): number {
    const { bytes } = this.#writer.buffer;
    const target = bytes.subarray(at, bytes.length - FRAME_TRAILER_BYTES);
    const { read, written } = encoder.encodeInto(value, target);
    assert(read === value.length, "there is room for a value that was measured");
    if (written > this.#valueBytesMax) throw this.#valueTooLarge(key, written);
    return written;
  }

  #valueRoom(key: KeyInput, value: ValueInput): number {
    if (typeof value === "string") {
      if (!value.isWellFormed()) throw malformedText(key);
      if (value.length <= UNMEASURED_CHARACTERS_MAX) return value.length * 3;
      const byteLength = Buffer.byteLength(value, "utf8");
      if (byteLength > this.#valueBytesMax) throw this.#valueTooLarge(key, byteLength);
      return byteLength;
    }
    if (!(value instanceof Uint8Array)) {
      throw new KvError(
        "InvalidArgument",
        `Value of key ${showKey(key)} is ${showValue(value)}: pass a string or a Uint8Array`,
      );
    }
    if (value.length > this.#valueBytesMax) throw this.#valueTooLarge(key, value.length);
    return value.length;
  }

  #valueTooLarge(key: KeyInput, byteLength: number): KvError {
    return new KvError(
      "ValueTooLarge",
      `Value of key ${showKey(key)} has ${byteLength} bytes: at most ${this.#valueBytesMax} are ` +
        `allowed (option valueBytesMax)`,
    );
  }
}

function malformedText(key: KeyInput): KvError {
  return new KvError(
    "InvalidArgument",
    `Value of key ${showKey(key)} holds half of a surrogate pair, which UTF-8 cannot represent: ` +
      `pass bytes instead of text`,
  );
}
