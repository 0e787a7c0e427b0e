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
import {
  decodeBatchHeader,
  decodeSyncMark,
  SEGMENT_FRAME_BYTES,
} from "../format/control_record.ts";
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
  OP_BATCH,
  OP_OFFSET,
  OP_SYNC,
  readU64,
  VERSION_OFFSET,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";
import { SegmentReader } from "../log/segment_reader.ts";

const WINDOW_BYTES = 1 << 20;
/** How many stretches inside a damaged frame are followed; whoever has more has a log in it. */
const LINK_TRIES_MAX = 256;

const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32LE(FRAME_MAGIC);

/** Where frames go on. */
export interface Resumption {
  /** Offset of a sound frame, or the end of the file. */
  offset: number;
  /** Whether it is certain that the damaged frame ends right before: this one is no part of it. */
  atBoundary: boolean;
  /** Whether that damaged frame was a record, which so had the next LSN. */
  skipsRecord: boolean;
}

/** What is known of the file, and of the frames before the damage. */
export interface Preceding {
  fileId: number;
  /** LSN of the last record before the damage. */
  lastLsn: number;
  /** LSN of the file's first record, if LSNs grow by exactly one in it; else undefined. */
  firstLsn: number | undefined;
}

/** Searches one file, up to a fixed end. Memory: a window of 1 MiB, or the longest frame met. */
export class FrameSearch {
  #file: File;
  #end: number;
  #framesEnd: number;
  #window: ByteBuffer;
  #header = new FrameHeader();
  #damaged = new FrameHeader();

  /** Searches `file` up to the offset `end`; from `framesEnd` on there are only zeros. */
  constructor(file: File, end: number, framesEnd = end) {
    this.#file = file;
    this.#end = end;
    this.#framesEnd = framesEnd;
    this.#window = allocateBuffer(Math.max(FRAME_OVERHEAD_BYTES, Math.min(WINDOW_BYTES, end)));
  }

  /** Where frames go on behind the damage at `offset`; undefined if nowhere. */
  resume(offset: number, preceding: Preceding): Resumption | undefined {
    const claimed = this.#claimedEnd(offset, preceding);
    if (claimed !== undefined) {
      const linked = this.#findLinked(offset + 1, claimed);
      if (linked !== undefined) return { offset: linked, atBoundary: false, skipsRecord: false };
      return { offset: claimed, atBoundary: true, skipsRecord: isDataOp(this.#damaged.op) };
    }
    const found = this.find(offset + 1);
    if (found < 0) return undefined;
    // The first frame of a segment always has the same length.
    const atBoundary = offset === 0 && found === SEGMENT_FRAME_BYTES;
    return { offset: found, atBoundary, skipsRecord: false };
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
   * The LSN in the damaged header at `offset`; undefined if that is not one of a record, or if what
   * stands before the LSN is damaged, since then nothing is known to be in its place.
   */
  readDamagedLsn(offset: number): number | undefined {
    const { bytes, view } = this.#window;
    const count = readFully(this.#file, bytes, 0, FRAME_HEADER_BYTES, offset);
    const isInPlace = count === FRAME_HEADER_BYTES &&
      view.getUint32(MAGIC_OFFSET, true) === FRAME_MAGIC &&
      view.getUint16(VERSION_OFFSET, true) === FORMAT_VERSION &&
      isDataOp(view.getUint8(OP_OFFSET));
    return isInPlace ? readU64(view, LSN_OFFSET) : undefined;
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
      : this.#readFrame(offset, frameLength) !== undefined;
  }

  /** Reads the frame at `offset` by itself, and leaves its header in `#header`. */
  #readFrame(offset: number, frameLength: number): ByteBuffer | undefined {
    const frame = allocateBuffer(frameLength);
    const count = readFully(this.#file, frame.bytes, 0, frameLength, offset);
    return decodeFrame(frame, 0, count, this.#header) === FRAME_OK ? frame : undefined;
  }

  /**
   * Where sound frames begin that link up exactly to `end`. A frame in the value of another one
   * cannot: that one's checksum would come between. So `end` is then not where that one ends.
   */
  #findLinked(start: number, end: number): number | undefined {
    let found = this.find(start);
    for (let tries = 0; found >= 0 && found < end && tries < LINK_TRIES_MAX; tries++) {
      const reader = new SegmentReader(this.#file, found, end);
      while (reader.next());
      if (reader.status === FRAME_OK) return found;
      found = this.find(reader.offset + 1);
    }
    return undefined;
  }

  /** The end that the damaged frame at `offset` claims, if what stands there bears it out. */
  #claimedEnd(offset: number, preceding: Preceding): number | undefined {
    const damaged = this.#readDamagedHeader(offset);
    if (damaged === undefined) return undefined;
    const isRecord = isDataOp(damaged.op);
    const end = offset + damaged.frameLength;
    if (end === this.#end || end >= this.#framesEnd) return end;
    const { view, bytes } = this.#window;
    if (readFully(this.#file, bytes, 0, FRAME_HEADER_BYTES, end) < FRAME_HEADER_BYTES) {
      return undefined;
    }
    if (decodeFrameHeader(view, 0, this.#end - end, this.#header) !== FRAME_OK) return undefined;
    const frame = this.#readFrame(end, this.#header.frameLength);
    if (frame === undefined) return undefined;
    const lsn = this.#nextLsn(frame, preceding);
    const least = preceding.lastLsn + (isRecord ? 2 : 1);
    return (preceding.firstLsn === undefined ? lsn >= least : lsn === least) ? end : undefined;
  }

  /** The LSN that the next record has from the sound frame in `#header` on; -1 if none fits. */
  #nextLsn({ view }: ByteBuffer, { fileId, firstLsn }: Preceding): number {
    const { op, lsn } = this.#header;
    if (isDataOp(op)) return lsn;
    if (op === OP_BATCH) return lsn - decodeBatchHeader(view, 0).count + 1;
    if (op !== OP_SYNC) return -1;
    const mark = decodeSyncMark(view, 0, lsn);
    if (mark.fileId !== fileId) return -1;
    return firstLsn === undefined ? Infinity : firstLsn + mark.recordCount;
  }
}
