/** Reads a hint file. Whatever is wrong with it, the segment itself can be read instead. */

import {
  decodeHintHeader,
  HINT_BLOCK_BYTES_MAX,
  HINT_BLOCK_HEADER_BYTES,
  HINT_ENTRY_BYTES,
  HINT_ENTRY_BYTES_MAX,
  HINT_ENTRY_FIELDS,
  HINT_HEADER_BYTES,
  type HintHeader,
} from "../format/hint.ts";
import { crc32 } from "../format/crc32.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  EXPIRES_AT_BYTES,
  FRAME_OVERHEAD_BYTES,
  isDataOp,
  isExpiry,
  OP_SET_EXPIRING,
  readU64,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";

const BLOCK_BYTES_LIMIT = HINT_BLOCK_BYTES_MAX + HINT_ENTRY_BYTES_MAX;

/**
 * A cursor over hint entries. After {@link HintReader.next} returned true the fields describe the
 * current entry, whose key lies in `buffer.bytes` from `keyStart`. After it returned false,
 * `problem` is undefined at the end, or says what is wrong with the file.
 */
export class HintReader {
  /** The file's header; undefined if it is damaged. */
  readonly header: HintHeader | undefined;
  problem: string | undefined;
  /** Called before the bytes of entries that were read already are gone. */
  beforeMove: () => void = () => {};
  buffer: ByteBuffer;
  op = 0;
  lsn = 0;
  offset = 0;
  frameLength = 0;
  crc = 0;
  expiresAt = 0;
  keyStart = 0;
  keyLength = 0;
  /** Bytes of the file. */
  readonly size: number;

  #file: File;
  #position = HINT_HEADER_BYTES;
  #blockEnd = 0;
  #at = 0;
  #entryCount = 0;

  constructor(file: File) {
    this.#file = file;
    this.size = file.size();
    this.buffer = allocateBuffer(Math.min(BLOCK_BYTES_LIMIT, this.size) + HINT_HEADER_BYTES);
    const count = readFully(file, this.buffer.bytes, 0, Math.min(HINT_HEADER_BYTES, this.size), 0);
    const header = decodeHintHeader(this.buffer.bytes.subarray(0, count));
    if (typeof header === "string") this.problem = header;
    else this.header = header;
  }

  /** Moves to the next entry; false at the end and at damage. */
  next(): boolean {
    if (this.problem !== undefined) return false;
    if (this.#at >= this.#blockEnd && !this.#readBlock()) return false;
    return this.#decodeEntry();
  }

  #fail(problem: string): false {
    this.problem = problem;
    return false;
  }

  #readBlock(): boolean {
    this.beforeMove();
    const { bytes, view } = this.buffer;
    if (readFully(this.#file, bytes, 0, HINT_BLOCK_HEADER_BYTES, this.#position) < 8) {
      return this.#fail("it ends too early");
    }
    const byteLength = view.getUint32(0, true);
    const crc = view.getUint32(4, true);
    this.#position += HINT_BLOCK_HEADER_BYTES;
    if (byteLength === 0) {
      if (crc !== this.#entryCount) return this.#fail("entries are missing");
      if (this.#position !== this.size) return this.#fail("it goes on behind its end");
      return false;
    }
    if (byteLength > BLOCK_BYTES_LIMIT || byteLength > this.size - this.#position) {
      return this.#fail("a block has an impossible length");
    }
    if (readFully(this.#file, bytes, 0, byteLength, this.#position) < byteLength) {
      return this.#fail("it ends too early");
    }
    if (crc32(bytes, 0, byteLength) !== crc) return this.#fail("a block's checksum does not match");
    this.#position += byteLength;
    this.#blockEnd = byteLength;
    this.#at = 0;
    return true;
  }

  #decodeEntry(): boolean {
    const { view } = this.buffer;
    const at = this.#at;
    if (this.#blockEnd - at < HINT_ENTRY_BYTES) return this.#fail("an entry is cut off");
    this.op = view.getUint8(at + HINT_ENTRY_FIELDS.op);
    this.keyLength = view.getUint16(at + HINT_ENTRY_FIELDS.keyLengthMinusOne, true) + 1;
    this.lsn = view.getUint16(at + HINT_ENTRY_FIELDS.lsnHigh, true) * 0x1_0000_0000 +
      view.getUint32(at + HINT_ENTRY_FIELDS.lsnLow, true);
    this.offset = view.getUint32(at + HINT_ENTRY_FIELDS.offset, true);
    this.frameLength = view.getUint32(at + HINT_ENTRY_FIELDS.frameLength, true);
    this.crc = view.getUint32(at + HINT_ENTRY_FIELDS.crc, true);
    let keyStart = at + HINT_ENTRY_BYTES;
    this.expiresAt = 0;
    if (this.op === OP_SET_EXPIRING) {
      if (this.#blockEnd - keyStart < 8) return this.#fail("an entry is cut off");
      this.expiresAt = readU64(view, keyStart);
      if (!isExpiry(this.expiresAt)) return this.#fail("an entry has an impossible expiry");
      keyStart += 8;
    }
    if (!isDataOp(this.op) || this.keyLength > this.#blockEnd - keyStart) {
      return this.#fail("an entry is impossible");
    }
    if (this.offset + this.frameLength > this.header!.coveredLength) {
      return this.#fail("an entry points outside the segment");
    }
    const valueStart = FRAME_OVERHEAD_BYTES + (this.expiresAt === 0 ? 0 : EXPIRES_AT_BYTES);
    if (this.frameLength < valueStart + this.keyLength) {
      return this.#fail("an entry is longer than its record");
    }
    this.keyStart = keyStart;
    this.#at = keyStart + this.keyLength;
    this.#entryCount++;
    return true;
  }
}
