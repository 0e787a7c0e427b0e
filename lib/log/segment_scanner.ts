/**
 * Reads a segment as recovery must: frame by frame, holding each against what must be true of it in
 * this file and at this place, and handing out a batch only when all of it is there.
 */

import {
  BATCH_FRAME_BYTES,
  CHAIN_START,
  decodeBatchHeader,
  decodeSegmentHeader,
  decodeSyncMark,
  extendChain,
  SEGMENT_FRAME_BYTES,
  type SegmentHeader,
} from "../format/control_record.ts";
import {
  describeFrameStatus,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FRAME_OVERHEAD_BYTES,
  type FrameHeader,
  isDataOp,
  isExpiry,
  KEY_LENGTH_OFFSET,
  LSN_OFFSET,
  OP_BATCH,
  OP_DELETE,
  OP_OFFSET,
  OP_SEGMENT,
  OP_SET,
  OP_SET_EXPIRING,
  OP_SYNC,
  readFrameCrc,
  readU64,
  VALUE_LENGTH_OFFSET,
} from "../format/record.ts";
import type { Readable } from "../fs/whole_file.ts";
import { KEY_BYTES_LIMIT, LSN_LIMIT, VALUE_BYTES_LIMIT } from "../limits.ts";
import type { RecordColumns } from "./record_columns.ts";
import { SegmentReader } from "./segment_reader.ts";

/** The state that a scan resumes from when a hint file stands for the beginning of the segment. */
export interface ScanStart {
  offset: number;
  lastLsn: number;
  recordCount: number;
  chain: number;
  controlBytes: number;
  tombstoneBytes: number;
  /** Whether the mark before `offset` calls everything before it durable. */
  sealed: boolean;
}

/** What is known of a segment before it is read. */
export interface ScanExpectation {
  fileId: number;
  nodeId: Uint8Array;
}

/**
 * A cursor over the data records of a segment. After {@link SegmentScanner.next} returned true, the
 * current record is described by `reader` (`header`, `offset`, `buffer`, `at`). After it returned
 * false, `problem` is undefined at a clean end, or says what is wrong at `validEnd`.
 */
export class SegmentScanner {
  readonly reader: SegmentReader;
  /** The first frame of the file; undefined until it was read. */
  segmentHeader: SegmentHeader | undefined;
  /** Everything before this offset is valid, and no batch is cut in two by it. */
  validEnd: number;
  /** What is wrong with the bytes at `validEnd`, if anything. */
  problem: string | undefined;
  /** The furthest offset that any SYNC mark before `validEnd` calls durable. */
  durableOffset = 0;
  /** Whether the last frame is a SYNC mark, as at the end of every closed segment. */
  endsWithMark = false;
  /** Whether the last frame is a SYNC mark that calls everything before it durable. */
  endsSealed = false;
  /** The newest LSN so far. */
  lastLsn = 0;
  recordCount = 0;
  chain = CHAIN_START;
  /** The chain that the newest SYNC mark carries. */
  chainBeforeMark = CHAIN_START;
  controlBytes = 0;
  tombstoneBytes = 0;

  #file: Readable;
  #end: number;
  #framesEnd: number;
  #expected: ScanExpectation;
  /** End of the batch that the current record is part of, 0 outside of any. */
  #batchEnd = 0;

  /**
   * Scans `file`, which is `end` bytes long: the frames that begin before `framesEnd`. It reads
   * `bufferBytes` at a time, or what its reader has by default.
   */
  constructor(
    file: Readable,
    end: number,
    expected: ScanExpectation,
    startOffset = 0,
    framesEnd = end,
    bufferBytes?: number,
  ) {
    this.#file = file;
    this.#end = end;
    this.#framesEnd = framesEnd;
    this.#expected = expected;
    this.reader = new SegmentReader(file, startOffset, end, framesEnd, bufferBytes);
    this.validEnd = startOffset;
  }

  /** Reads the first frame of the file; false if it is not what it must be. */
  readHeader(): boolean {
    const { reader } = this;
    if (!reader.next()) {
      return this.#stop(
        reader.status === FRAME_OK ? "the file is empty" : describeFrameStatus(reader.status),
      );
    }
    const { header } = reader;
    if (header.op !== OP_SEGMENT) return this.#stop("the file does not begin with a SEGMENT frame");
    const segmentHeader = decodeSegmentHeader(reader.buffer, reader.at, header.lsn);
    if (segmentHeader.fileId !== this.#expected.fileId) {
      return this.#stop(`the file says that it is segment ${segmentHeader.fileId}`);
    }
    if (!segmentHeader.nodeId.every((byte, index) => byte === this.#expected.nodeId[index])) {
      return this.#stop("the file belongs to another store");
    }
    this.segmentHeader = segmentHeader;
    this.lastLsn = header.lsn - 1;
    // The header is synced before ACTIVE names the file, so it is durable by its mere existence.
    this.durableOffset = SEGMENT_FRAME_BYTES;
    this.#accept();
    return true;
  }

  /** A scanner that goes on behind the part that a hint stands for, as if it had been read. */
  resume(start: ScanStart): SegmentScanner {
    const scanner = new SegmentScanner(
      this.#file,
      this.#end,
      this.#expected,
      start.offset,
      this.#framesEnd,
    );
    scanner.segmentHeader = this.segmentHeader;
    scanner.durableOffset = start.offset;
    scanner.endsWithMark = true;
    scanner.endsSealed = start.sealed;
    scanner.lastLsn = start.lastLsn;
    scanner.recordCount = start.recordCount;
    scanner.chain = start.chain;
    scanner.controlBytes = start.controlBytes;
    scanner.tombstoneBytes = start.tombstoneBytes;
    return scanner;
  }

  /** Moves to the next data record; see the class for what holds afterwards. */
  next(): boolean {
    const { reader } = this;
    while (reader.next()) {
      const wrong = this.#check(reader.header);
      if (wrong !== undefined) return this.#stop(wrong);
      const isData = isDataOp(reader.header.op);
      this.#accept();
      if (isData) return true;
    }
    if (reader.status !== FRAME_OK) return this.#stop(describeFrameStatus(reader.status));
    return false;
  }

  /**
   * Adds to `records` the values behind the current record that never expire, while they are known to
   * be sound and are where they must be, until there are `countMax`; their keys are in the reader's
   * buffer. They count as read, and whatever follows them is for {@link SegmentScanner.next}. Nearly
   * all records of most logs are such, and reading them together is much quicker.
   */
  takeValues(records: RecordColumns, countMax: number): void {
    const { reader } = this;
    const { compacted } = this.segmentHeader!;
    // The records of a batch are few, and its end is to be noticed.
    if (this.#batchEnd !== 0) return;
    const { view } = reader.buffer;
    const { keyStarts, keyLengths, offsets, frameLengths, crcs, lsns, expiresAt } = records;
    const bufferStart = reader.offset - reader.at;
    const start = reader.nextAt;
    const end = reader.soundEndAt;
    let { chain, lastLsn } = this;
    let { count } = records;
    let at = start;
    while (at < end && count < countMax) {
      const keyLength = view.getUint32(at + KEY_LENGTH_OFFSET, true);
      const valueLength = view.getUint32(at + VALUE_LENGTH_OFFSET, true);
      const lsn = readU64(view, at + LSN_OFFSET);
      if (view.getUint8(at + OP_OFFSET) !== OP_SET) break;
      if (keyLength === 0 || keyLength > KEY_BYTES_LIMIT || valueLength > VALUE_BYTES_LIMIT) break;
      if ((compacted ? lsn <= lastLsn : lsn !== lastLsn + 1) || lsn > LSN_LIMIT) break;
      const frameLength = FRAME_OVERHEAD_BYTES + keyLength + valueLength;
      const crc = readFrameCrc(view, at, frameLength);
      keyStarts[count] = at + FRAME_HEADER_BYTES;
      keyLengths[count] = keyLength;
      offsets[count] = bufferStart + at;
      frameLengths[count] = frameLength;
      crcs[count] = crc;
      lsns[count] = lsn;
      expiresAt[count] = 0;
      count++;
      chain = extendChain(chain, crc);
      lastLsn = lsn;
      at += frameLength;
    }
    if (at === start) return;
    reader.skipTo(at);
    this.chain = chain;
    this.lastLsn = lastLsn;
    this.recordCount += count - records.count;
    this.validEnd = bufferStart + at;
    records.count = count;
  }

  #stop(problem: string): false {
    this.problem = problem;
    return false;
  }

  #accept(): void {
    const { reader } = this;
    const { op, lsn, frameLength } = reader.header;
    const end = reader.offset + frameLength;
    this.chain = extendChain(this.chain, readFrameCrc(reader.buffer.view, reader.at, frameLength));
    this.endsWithMark = op === OP_SYNC;
    if (op !== OP_SYNC) this.endsSealed = false;
    if (isDataOp(op)) {
      this.lastLsn = lsn;
      this.recordCount++;
      if (op === OP_DELETE) this.tombstoneBytes += frameLength;
    } else {
      this.controlBytes += frameLength;
    }
    if (end >= this.#batchEnd) {
      this.validEnd = end;
      this.#batchEnd = 0;
    }
  }

  /** What is wrong with a frame whose checksum holds, judged by its place; undefined if nothing. */
  #check(header: FrameHeader): string | undefined {
    switch (header.op) {
      case OP_SEGMENT:
        return "a SEGMENT frame stands inside the file";
      case OP_SYNC:
        return this.#checkMark(header);
      case OP_BATCH:
        return this.#checkBatch(header);
      default:
        return expiryIsPossible(this.reader)
          ? this.#checkLsn(header.lsn)
          : "a record expires at an impossible time";
    }
  }

  #checkLsn(lsn: number): string | undefined {
    const fits = this.segmentHeader!.compacted ? lsn > this.lastLsn : lsn === this.lastLsn + 1;
    return fits ? undefined : `LSN ${lsn} does not follow ${this.lastLsn}`;
  }

  #checkMark(header: FrameHeader): string | undefined {
    const { reader } = this;
    const mark = decodeSyncMark(reader.buffer.view, reader.at, header.lsn);
    if (mark.fileId !== this.#expected.fileId || mark.ownOffset !== reader.offset) {
      return "a SYNC frame belongs elsewhere";
    }
    if (mark.recordCount !== this.recordCount || mark.chain !== this.chain) {
      return "the frames before a SYNC frame are not those that were written";
    }
    if (mark.durableOffset > reader.offset || this.#batchEnd !== 0) {
      return "a SYNC frame is impossible here";
    }
    this.durableOffset = Math.max(this.durableOffset, mark.durableOffset);
    this.chainBeforeMark = mark.chain;
    this.endsSealed = mark.durableOffset === mark.ownOffset;
    return undefined;
  }

  #checkBatch(header: FrameHeader): string | undefined {
    const { reader } = this;
    const { count, byteLength } = decodeBatchHeader(reader.buffer.view, reader.at);
    const start = reader.offset + BATCH_FRAME_BYTES;
    if (this.#batchEnd !== 0 || count === 0 || this.segmentHeader!.compacted) {
      return "a BATCH frame is impossible here";
    }
    if (header.lsn !== this.lastLsn + count) return `batch LSN ${header.lsn} does not fit`;
    if (start + byteLength > this.#end) return "the file ends inside a batch";
    const ahead = new SegmentReader(this.#file, start, start + byteLength);
    let seen = 0;
    while (
      seen < count && ahead.next() && isDataOp(ahead.header.op) &&
      ahead.header.lsn === this.lastLsn + seen + 1 && expiryIsPossible(ahead)
    ) seen++;
    if (seen !== count || ahead.next() || ahead.status !== FRAME_OK) {
      return `a batch of ${count} records is damaged`;
    }
    this.#batchEnd = start + byteLength;
    return undefined;
  }
}

/** Whether the reader's current frame, a record, expires never or at a time that can be. */
function expiryIsPossible({ header, buffer, at }: SegmentReader): boolean {
  if (header.op !== OP_SET_EXPIRING) return true;
  return isExpiry(readU64(buffer.view, at + FRAME_HEADER_BYTES + header.keyLength));
}
