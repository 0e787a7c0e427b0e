/**
 * Finds where frames go on behind damage. Two ways, in this order:
 *
 * 1. The damaged frame may still say how long it is. That is believed only if a sound frame that
 *    can follow it stands exactly there: a length behind a bad checksum proves nothing by itself.
 * 2. Otherwise every following byte may begin a frame: MAGIC is looked for, and a frame counts only
 *    if its checksum holds.
 *
 * What the first way skips is never searched, so frames inside a damaged record's value stay inside.
 */

import { Buffer } from "node:buffer";
import { SEGMENT_FRAME_BYTES } from "../format/control_record.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  decodeFrame,
  decodeFrameHeader,
  FORMAT_VERSION,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_OK,
  FRAME_OVERHEAD_BYTES,
  FrameHeader,
  isDataOp,
  LSN_OFFSET,
  MAGIC_OFFSET,
  OP_OFFSET,
  readU64,
  VERSION_OFFSET,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";

const WINDOW_BYTES = 1 << 20;

const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32LE(FRAME_MAGIC);

/** Where frames go on. */
export interface Resumption {
  /** Offset of a sound frame, or the end of the file. */
  offset: number;
  /** Whether it is certain that a frame ended right before, so that this one is part of no value. */
  atBoundary: boolean;
}

/** What is known of the frames before the damage. */
export interface Preceding {
  /** LSN of the last record before it. */
  lastLsn: number;
  /** Whether LSNs grow by exactly one from record to record in this file. */
  consecutive: boolean;
}

/** Searches one file, up to a fixed end. Memory: a window of 1 MiB, or the longest frame met. */
export class FrameSearch {
  #file: File;
  #end: number;
  #window: ByteBuffer;
  #header = new FrameHeader();
  #damaged = new FrameHeader();

  /** Searches `file` up to the offset `end`. */
  constructor(file: File, end: number) {
    this.#file = file;
    this.#end = end;
    this.#window = allocateBuffer(Math.max(FRAME_OVERHEAD_BYTES, Math.min(WINDOW_BYTES, end)));
  }

  /** Where frames go on behind the damage at `offset`; undefined if nowhere. */
  resume(offset: number, preceding: Preceding): Resumption | undefined {
    const claimed = this.#claimedEnd(offset, preceding);
    if (claimed !== undefined) return { offset: claimed, atBoundary: true };
    const found = this.find(offset + 1);
    if (found < 0) return undefined;
    // The first frame of a segment always has the same length.
    return { offset: found, atBoundary: offset === 0 && found === SEGMENT_FRAME_BYTES };
  }

  /** Reads the header of the damaged frame at `offset` if it makes sense, MAGIC and VERSION aside. */
  #readDamagedHeader(offset: number): FrameHeader | undefined {
    const { bytes, view } = this.#window;
    const count = readFully(this.#file, bytes, 0, FRAME_HEADER_BYTES, offset);
    if (count < FRAME_HEADER_BYTES) return undefined;
    view.setUint32(MAGIC_OFFSET, FRAME_MAGIC, true);
    view.setUint16(VERSION_OFFSET, FORMAT_VERSION, true);
    const status = decodeFrameHeader(view, 0, this.#end - offset, this.#damaged);
    return status === FRAME_OK ? this.#damaged : undefined;
  }

  /**
   * The LSN in the damaged header at `offset`, whatever its other fields say; undefined if it is not
   * one of a record.
   */
  readDamagedLsn(offset: number): number | undefined {
    const { bytes, view } = this.#window;
    const count = readFully(this.#file, bytes, 0, FRAME_HEADER_BYTES, offset);
    if (count < FRAME_HEADER_BYTES || !isDataOp(view.getUint8(OP_OFFSET))) return undefined;
    return readU64(view, LSN_OFFSET);
  }

  /** Offset of the first sound frame at or behind `start`; -1 if there is none. */
  find(start: number): number {
    let position = start;
    while (this.#end - position >= FRAME_OVERHEAD_BYTES) {
      const { buffer } = this.#window.bytes;
      const wanted = Math.min(this.#window.bytes.length, this.#end - position);
      const count = readFully(this.#file, this.#window.bytes, 0, wanted, position);
      const window = Buffer.from(buffer, 0, count);
      let at = window.indexOf(MAGIC_BYTES);
      while (at >= 0 && count - at >= FRAME_HEADER_BYTES) {
        if (this.#isSound(position + at, at, count)) return position + at;
        at = window.indexOf(MAGIC_BYTES, at + 1);
      }
      if (count < wanted || position + count >= this.#end) return -1;
      // Begin again where a header could start that this window cut off.
      position += at >= 0 ? at : count - FRAME_HEADER_BYTES + 1;
    }
    return -1;
  }

  /** Checks the frame at `offset`, whose header is in the window at `at`. */
  #isSound(offset: number, at: number, count: number): boolean {
    const available = this.#end - offset;
    const status = decodeFrameHeader(this.#window.view, at, available, this.#header);
    if (status !== FRAME_OK) return false;
    const { frameLength } = this.#header;
    return at + frameLength <= count
      ? decodeFrame(this.#window, at, frameLength, this.#header) === FRAME_OK
      : this.#readFrame(offset, frameLength);
  }

  /** Reads the frame at `offset` by itself, and leaves its header in `#header`. */
  #readFrame(offset: number, frameLength: number): boolean {
    const frame = allocateBuffer(frameLength);
    const count = readFully(this.#file, frame.bytes, 0, frameLength, offset);
    return decodeFrame(frame, 0, count, this.#header) === FRAME_OK;
  }

  /** The end that the damaged frame at `offset` claims, if what stands there bears it out. */
  #claimedEnd(offset: number, { lastLsn, consecutive }: Preceding): number | undefined {
    const damaged = this.#readDamagedHeader(offset);
    if (damaged === undefined) return undefined;
    const isRecord = isDataOp(damaged.op);
    const end = offset + damaged.frameLength;
    if (end === this.#end) return end;
    const { view, bytes } = this.#window;
    if (readFully(this.#file, bytes, 0, FRAME_HEADER_BYTES, end) < FRAME_HEADER_BYTES) {
      return undefined;
    }
    if (decodeFrameHeader(view, 0, this.#end - end, this.#header) !== FRAME_OK) return undefined;
    if (!this.#readFrame(end, this.#header.frameLength)) return undefined;
    const { op, lsn } = this.#header;
    if (!isDataOp(op)) return end;
    const least = lastLsn + (isRecord ? 2 : 1);
    return (consecutive ? lsn === least : lsn >= least) ? end : undefined;
  }
}
