/** Whether a short form of the log tells what the log says. */

import {
  allocateBuffer,
  decodeFrameHeader,
  EXPIRES_AT_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FRAME_TRAILER_BYTES,
  FrameHeader,
  OP_SET_EXPIRING,
  readU64,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";
import { KEY_BYTES_LIMIT } from "../limits.ts";

/** What a hint file or a checkpoint says of a record. */
export interface IndexEntry {
  op: number;
  lsn: number;
  /** Where the record lies in its segment. */
  offset: number;
  frameLength: number;
  crc: number;
  /** 0 for never. */
  expiresAt: number;
  /** Holds the key, from `keyStart`. */
  buffer: { bytes: Uint8Array };
  keyStart: number;
  keyLength: number;
}

/** Compares entries with the frames of one segment. */
export class EntryCheck {
  #segment: File;
  #start = allocateBuffer(FRAME_HEADER_BYTES + KEY_BYTES_LIMIT + EXPIRES_AT_BYTES);
  #trailer = allocateBuffer(FRAME_TRAILER_BYTES);
  #header = new FrameHeader();

  constructor(segment: File) {
    this.#segment = segment;
  }

  /** Whether the segment holds, where the entry says, the record that it says. */
  matches(entry: IndexEntry): boolean {
    const header = this.#header;
    const { bytes, view } = this.#start;
    const expiryLength = entry.op === OP_SET_EXPIRING ? EXPIRES_AT_BYTES : 0;
    const length = FRAME_HEADER_BYTES + entry.keyLength + expiryLength;
    if (entry.frameLength < length + FRAME_TRAILER_BYTES) return false;
    if (readFully(this.#segment, bytes, 0, length, entry.offset) < length) return false;
    if (decodeFrameHeader(view, 0, entry.frameLength, header) !== FRAME_OK) return false;
    const crcAt = entry.offset + entry.frameLength - FRAME_TRAILER_BYTES;
    const trailer = this.#trailer;
    if (readFully(this.#segment, trailer.bytes, 0, FRAME_TRAILER_BYTES, crcAt) < 4) return false;
    return header.op === entry.op && header.lsn === entry.lsn &&
      header.keyLength === entry.keyLength && header.frameLength === entry.frameLength &&
      trailer.view.getUint32(0, true) === entry.crc && this.#hasKeyOf(entry) &&
      (expiryLength === 0 ||
        readU64(view, FRAME_HEADER_BYTES + entry.keyLength) === entry.expiresAt);
  }

  #hasKeyOf({ buffer, keyStart, keyLength }: IndexEntry): boolean {
    const { bytes } = this.#start;
    for (let index = 0; index < keyLength; index++) {
      if (bytes[FRAME_HEADER_BYTES + index] !== buffer.bytes[keyStart + index]) return false;
    }
    return true;
  }
}
