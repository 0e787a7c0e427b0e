/**
 * Reads the records of the log in order of their LSNs, from any LSN on, while the log grows and
 * compaction replaces segments: the reading side of a change feed.
 *
 * The place where a cursor stands is an LSN. A segment and an offset in it are only how to go on
 * quickly: between two reads nothing is pinned, so a cursor that nobody moves keeps no file open.
 * When compaction has replaced its segment meanwhile, it looks for its LSN in the log as it is then.
 *
 * What must stay true:
 * - Whatever was dropped from the log for good (see `ActiveState.droppedLsn`) when a cursor begins
 *   with a segment lies behind it, or it would skip deletes without knowing.
 * - Nothing is read of what lies beyond the limit that the caller sets: it may not be durable.
 * - A frame that was read is never read again, and LSNs handed out ascend.
 */

import { assert } from "../assert.ts";
import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import { BATCH_FRAME_BYTES, decodeBatchHeader } from "../format/control_record.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  computeFrameCrc,
  decodeFrameHeader,
  describeFrameStatus,
  FRAME_BAD_CRC,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FRAME_OVERHEAD_BYTES,
  FRAME_SHORT,
  FrameHeader,
  isDataOp,
  isExpiry,
  OP_BATCH,
  OP_SEGMENT,
  OP_SET_EXPIRING,
  readFrameCrc,
  readU64,
} from "../format/record.ts";
import { readFully, readFullyAsync } from "../fs/whole_file.ts";
import type { ActiveFile } from "./active_file.ts";
import type { LogWriter } from "./log_writer.ts";
import type { Segment } from "./segment.ts";
import type { SegmentSet } from "./segment_set.ts";

/** What is read at once. Longer frames are read alone, and on another thread. */
const WINDOW_BYTES = 1 << 16;
const NO_BUFFER = allocateBuffer(0);
/** Long frames that are on their way into memory at once, of all cursors together. */
const LONG_LOADS_MAX = 4;

let longLoads = 0;
const waitingToLoad: (() => void)[] = [];

/** `header`, `buffer` and `at` describe the next record. */
export const STEP_RECORD = 0;
/** Bytes are needed: call {@link LogCursor.load}, then step again. */
export const STEP_LOAD = 1;
/** There is nothing up to the limit that was not read. */
export const STEP_END = 2;

/** What a step came to. */
export type Step = typeof STEP_RECORD | typeof STEP_LOAD | typeof STEP_END;

/** The log that a cursor reads. */
export interface LogCursorContext {
  segments: SegmentSet;
  active: ActiveFile;
  /** Undefined in a store that was opened for reading only. */
  writer: LogWriter | undefined;
}

/** A place in the log that moves forward. */
export class LogCursor {
  /** The record that {@link step} came to; valid until the next step. */
  readonly header = new FrameHeader();
  /** Where the bytes of that record are: its frame begins at `at`. */
  buffer: ByteBuffer = NO_BUFFER;
  at = 0;

  #context: LogCursorContext;
  #lsn: number;
  /** Where reading goes on; undefined if it has to be looked for. */
  #segment: Segment | undefined;
  #offset = 0;
  /** The newest LSN in the segment before `#offset`. */
  #segmentLsn = 0;
  /** Offset in the segment of the first byte in the buffer, and how many bytes it holds. */
  #bufferStart = 0;
  #bufferLength = 0;
  /** How many bytes from `#offset` on have to be loaded. */
  #wanted = 0;

  /** Stands behind the record with this LSN. Throws `Compacted` if it cannot go on from there. */
  constructor(context: LogCursorContext, lsn: number) {
    this.#context = context;
    this.#lsn = lsn;
    this.#assertComplete();
    // Those who want only what is new need not look for the end: it is known.
    if (lsn === context.writer?.lsnAppended) {
      const { segment } = context.writer;
      this.#enter(segment, segment.length, lsn);
    }
  }

  /** Every record up to this one was handed out, or is not in the log any more. */
  get lsn(): number {
    return this.#lsn;
  }

  /**
   * Moves to the next record whose LSN is not above `limitLsn`. Throws `CorruptLog`, and `Compacted`
   * if deletes it has not come to were dropped.
   */
  step(limitLsn: number): Step {
    while (this.#lsn < limitLsn) {
      const segment = this.#segment ?? this.#findSegment();
      if (segment === undefined) return this.#end(limitLsn);
      if (this.#offset === segment.length) {
        this.#lsn = Math.max(this.#lsn, segment.lastLsn);
        if (segment !== this.#context.segments.active) this.#segment = undefined;
        else assert(this.#lsn >= limitLsn, "what is visible is in the log");
        continue;
      }
      const left = segment.length - this.#offset;
      if (!this.#holds(Math.min(left, FRAME_OVERHEAD_BYTES))) {
        if (this.#isGone(segment)) continue;
        return STEP_LOAD;
      }
      const { view } = this.buffer;
      this.at = this.#offset - this.#bufferStart;
      const status = decodeFrameHeader(view, this.at, left, this.header);
      if (status !== FRAME_OK) throw this.#damaged(segment, describeFrameStatus(status));
      this.#assertInPlace(segment);
      const { op, lsn, frameLength } = this.header;
      const isData = isDataOp(op);
      // Where LSNs have no gaps, this one is right though the checksum is not yet looked at.
      if (isData && !segment.compacted) {
        if (lsn > limitLsn) return this.#end(limitLsn);
        if (lsn <= this.#lsn) {
          this.#pass(frameLength, lsn);
          continue;
        }
      }
      if (!this.#holds(frameLength)) {
        if (this.#isGone(segment)) continue;
        return STEP_LOAD;
      }
      this.#assertWhole(segment);
      if ((isData || op === OP_BATCH) && lsn > limitLsn) return this.#end(limitLsn);
      this.#pass(frameLength, isData ? lsn : this.#segmentLsn);
      if (!isData || lsn <= this.#lsn) continue;
      this.#lsn = lsn;
      return STEP_RECORD;
    }
    return STEP_END;
  }

  /** Loads what the last step wanted; returns a promise only if that takes long. */
  load(): Promise<void> | undefined {
    const segment = this.#segment!;
    const offset = this.#offset;
    const { writer } = this.#context;
    const isActive = segment === writer?.segment;
    segment.waypoints.note(this.#segmentLsn, offset);
    // Frames lie in the file or in the writer's buffer, but never in both.
    const inBuffer = isActive && offset >= writer.bufferStart;
    const end = isActive && !inBuffer ? writer.bufferStart : segment.length;
    const length = Math.min(Math.max(this.#wanted, WINDOW_BYTES), end - offset);
    if (inBuffer) {
      const from = offset - writer.bufferStart;
      const buffer = this.#bufferFor(length);
      buffer.bytes.set(writer.buffer.bytes.subarray(from, from + length));
      this.#take(buffer, offset, length);
    } else if (length <= WINDOW_BYTES) {
      const buffer = this.#bufferFor(length);
      const count = readFully(segment.file, buffer.bytes, 0, length, offset);
      this.#take(buffer, offset, count);
      this.#assertRead(segment, count);
    } else {
      return this.#loadLong(segment, offset, length);
    }
    return undefined;
  }

  /** Lets go of memory: nothing will be read for a while. */
  rest(): void {
    this.#take(NO_BUFFER, this.#offset, 0);
  }

  async #loadLong(segment: Segment, offset: number, length: number): Promise<void> {
    segment.pin();
    // A thousand followers come to the same long record at the same moment.
    while (longLoads >= LONG_LOADS_MAX) {
      await new Promise<void>((resolve) => waitingToLoad.push(resolve));
    }
    longLoads++;
    try {
      const buffer = allocateBuffer(length);
      const count = await readFullyAsync(segment.file, buffer.bytes, 0, length, offset);
      this.#take(buffer, offset, count);
      this.#assertRead(segment, count);
    } finally {
      segment.unpin();
      longLoads--;
      waitingToLoad.shift()?.();
    }
  }

  /** The next record is beyond the limit: those between, if any, were superseded. */
  #end(limitLsn: number): Step {
    this.#lsn = limitLsn;
    return STEP_END;
  }

  /** The segment that holds the next record there is. */
  #findSegment(): Segment | undefined {
    this.#assertComplete();
    const segment = this.#context.segments.ordered.find(({ lastLsn }) => lastLsn > this.#lsn);
    if (segment === undefined) return undefined;
    const { lsn, offset } = segment.waypoints.before(this.#lsn) ??
      { lsn: segment.firstLsn - 1, offset: 0 };
    this.#enter(segment, offset, lsn);
    return segment;
  }

  #enter(segment: Segment, offset: number, lsn: number): void {
    this.#segment = segment;
    this.#offset = offset;
    this.#segmentLsn = lsn;
    this.#take(this.buffer, offset, 0);
  }

  #pass(frameLength: number, segmentLsn: number): void {
    this.#offset += frameLength;
    this.#segmentLsn = segmentLsn;
  }

  /** Whether compaction has replaced the segment; then its LSN has to be looked for elsewhere. */
  #isGone(segment: Segment): boolean {
    if (!segment.retired) return false;
    this.#segment = undefined;
    return true;
  }

  /** Whether so many bytes are in the buffer; if not, they are those to load. */
  #holds(length: number): boolean {
    if (this.#offset + length <= this.#bufferStart + this.#bufferLength) return true;
    this.#wanted = length;
    return false;
  }

  #bufferFor(length: number): ByteBuffer {
    const { length: room } = this.buffer.bytes;
    return room >= length && room <= WINDOW_BYTES ? this.buffer : allocateBuffer(length);
  }

  #take(buffer: ByteBuffer, start: number, length: number): void {
    this.buffer = buffer;
    this.#bufferStart = start;
    this.#bufferLength = length;
  }

  #assertComplete(): void {
    const { droppedLsn } = this.#context.active;
    if (this.#lsn >= droppedLsn) return;
    throw new KvError(
      "Compacted",
      `Changes after version ${this.#lsn} are not all there any more: deletes up to version ` +
        `${droppedLsn} were compacted away; start again from a scan (the option ` +
        `compaction.retainedVersions keeps them longer)`,
    );
  }

  /** A header is not yet known to be what was written, but what it says must fit its place. */
  #assertInPlace(segment: Segment): void {
    const { op, lsn } = this.header;
    if (op === OP_SEGMENT ? this.#offset !== 0 : this.#offset === 0) {
      throw this.#damaged(segment, "a frame is not where it belongs");
    }
    if (!isDataOp(op)) return;
    const fits = segment.compacted
      ? lsn > this.#segmentLsn && lsn <= segment.lastLsn
      : lsn === this.#segmentLsn + 1;
    if (!fits) throw this.#damaged(segment, `LSN ${lsn} does not follow ${this.#segmentLsn}`);
  }

  #assertWhole(segment: Segment): void {
    const { bytes, view } = this.buffer;
    const { op, lsn, keyLength, frameLength } = this.header;
    if (readFrameCrc(view, this.at, frameLength) !== computeFrameCrc(bytes, this.at, frameLength)) {
      throw this.#damaged(segment, describeFrameStatus(FRAME_BAD_CRC));
    }
    if (
      op === OP_SET_EXPIRING && !isExpiry(readU64(view, this.at + FRAME_HEADER_BYTES + keyLength))
    ) {
      throw this.#damaged(segment, "a record expires at an impossible time");
    }
    if (op !== OP_BATCH) return;
    const { count, byteLength } = decodeBatchHeader(view, this.at);
    const fits = lsn === this.#segmentLsn + count &&
      this.#offset + BATCH_FRAME_BYTES + byteLength <= segment.length;
    if (!fits) throw this.#damaged(segment, `a batch of ${count} records does not fit its place`);
  }

  #assertRead(segment: Segment, count: number): void {
    if (count < this.#wanted) throw this.#damaged(segment, describeFrameStatus(FRAME_SHORT));
  }

  #damaged(segment: Segment, problem: string): KvError {
    const { fileId, file: { path } } = segment;
    const offset = this.#offset;
    return new KvError(
      "CorruptLog",
      `Cannot follow the log beyond offset ${offset} of ${path}: ${problem}; ${DAMAGE_ADVICE}`,
      { path, fileId, offset },
    );
  }
}
