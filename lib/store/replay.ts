/**
 * Builds the key directory from the log: segment by segment in order of LSN, through its hint file
 * where there is a good one, by scanning where not. What to do about damage is the decision of the
 * table in `log/recovery.ts`.
 */

import type { Clock } from "../clock.ts";
import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import { decodeSyncMark, extendChain, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import type { ActiveSegment } from "../format/active.ts";
import { hintName, joinPath } from "../format/filename.ts";
import type { HintHeader } from "../format/hint.ts";
import {
  allocateBuffer,
  decodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FrameHeader,
  OP_DELETE,
  OP_SET_EXPIRING,
  OP_SYNC,
  readFrameCrc,
  readU64,
} from "../format/record.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";
import { HintReader } from "../log/hint_reader.ts";
import { decide, findDurableOffset } from "../log/recovery.ts";
import { Segment } from "../log/segment.ts";
import type { SegmentReader } from "../log/segment_reader.ts";
import { type ScanStart, SegmentScanner } from "../log/segment_scanner.ts";
import { endOfFrames } from "../log/zero_tail.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Keydir } from "./keydir.ts";
import { Slices } from "./pause.ts";
import { ReplayBatch } from "./replay_batch.ts";
import type { LoadedCheckpoint } from "./checkpoint.ts";
import type { ReplayStats } from "./types.ts";

const SLICE_MS = 10;
const RECORDS_BETWEEN_CLOCK_READINGS = 256;

/** What replay works with. */
export interface ReplayContext {
  fs: FileSystem;
  /** Directory of the log. */
  directory: string;
  /** Bytes of all segments. */
  logBytes: number;
  nodeId: Uint8Array;
  keydir: Keydir;
  /** What of the log is in the key directory already. */
  checkpoint: LoadedCheckpoint | undefined;
  clock: Clock;
  logger: Logger;
  readOnly: boolean;
}

/** Replays the segments of a log, one call a segment, from the oldest to the newest. */
export class Replay {
  readonly stats: ReplayStats = {
    segments: 0,
    hints: 0,
    checkpointKeys: 0,
    records: 0,
    bytes: 0,
    truncatedBytes: 0,
    durationMs: 0,
  };
  /** Whether the newest segment ends with a mark that calls all of it durable. */
  sealed = false;
  /** Up to where a mark, ACTIVE or a hint file says that the newest segment is durable. */
  durableOffset = 0;

  #context: ReplayContext;
  /** What the current segment's hint file covers, if that is more than there is: it was durable. */
  #hintedLength = 0;
  #batch: ReplayBatch;
  #slices: Slices;

  constructor(context: ReplayContext) {
    this.#context = context;
    this.#batch = new ReplayBatch(context.keydir, context.logBytes, context.clock.now());
    this.#slices = new Slices(context.clock, SLICE_MS);
    const { checkpoint } = context;
    if (checkpoint === undefined) return;
    this.stats.checkpointKeys = checkpoint.index.size;
    this.stats.bytes = checkpoint.byteLength;
  }

  /** Replays one segment and adds it to the log. */
  async segment(expected: ActiveSegment, file: File, isActive: boolean): Promise<void> {
    const { nodeId, keydir } = this.#context;
    const { fileId } = expected;
    const size = file.size();
    const framesEnd = isActive ? endOfFrames(file, size) : size;
    const first = new SegmentScanner(file, size, { fileId, nodeId }, 0, framesEnd);
    if (!first.readHeader()) return this.#refuse(file, fileId, isActive, first, size);
    const { compacted, firstLsn } = first.segmentHeader!;
    const newest = keydir.segments.ordered.at(-1);
    if (newest !== undefined && firstLsn <= newest.lastLsn) {
      throw corrupt(file.path, fileId, 0, "its records overlap those of the segment before it");
    }
    const segment = new Segment(fileId, file, compacted, firstLsn);
    keydir.segments.append(segment);
    this.#hintedLength = 0;
    const start = this.#startBehindCheckpoint(segment) ??
      await this.#loadHint(segment, size, isActive);
    this.stats.segments++;
    const scanner = start === undefined ? first : first.resume(start);
    await this.#scan(scanner, segment);
    this.stats.records = this.#batch.records;
    this.#batch.bytesBefore += size;
    this.stats.bytes += scanner.validEnd - (start?.offset ?? 0);
    segment.length = scanner.validEnd;
    segment.lastLsn = scanner.lastLsn;
    segment.recordCount = scanner.recordCount;
    segment.chain = scanner.chain;
    segment.controlBytes = scanner.controlBytes;
    segment.tombstoneBytes = scanner.tombstoneBytes;
    this.#settle(segment, scanner, size, framesEnd, expected, isActive);
  }

  /** Where scanning begins in a segment that the checkpoint stands for, and what that has of it. */
  #startBehindCheckpoint(segment: Segment): ScanStart | undefined {
    const { checkpoint } = this.#context;
    const position = this.stats.segments;
    const covered = checkpoint?.segments[position];
    if (covered === undefined) return undefined;
    segment.aliveBytes = covered.aliveBytes;
    segment.hintedLength = covered.hintedLength;
    const isLast = position === checkpoint!.segments.length - 1;
    return { ...covered, offset: covered.coveredLength, sealed: isLast && checkpoint!.sealed };
  }

  /** Applies what the scanner finds. */
  async #scan(scanner: SegmentScanner, segment: Segment): Promise<void> {
    const batch = this.#batch;
    scanner.reader.beforeMove = () => batch.apply();
    let untilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
    while (scanner.next()) {
      this.#addFrame(scanner.reader, segment);
      untilClockReading -= 1 + batch.addValues(scanner, segment);
      if (untilClockReading <= 0) {
        untilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
        if (this.#slices.over) await this.#slices.pause();
      }
    }
    batch.apply();
  }

  #addFrame({ header, at, buffer, offset }: SegmentReader, segment: Segment): void {
    const { op, keyLength, frameLength, lsn } = header;
    const keyStart = at + FRAME_HEADER_BYTES;
    const crc = readFrameCrc(buffer.view, at, frameLength);
    const expiresAt = op === OP_SET_EXPIRING ? readU64(buffer.view, keyStart + keyLength) : 0;
    this.#batch.add(
      op,
      buffer.bytes,
      keyStart,
      keyLength,
      segment,
      offset,
      frameLength,
      crc,
      lsn,
      expiresAt,
    );
  }

  /** Applies a segment's hint file; undefined if there is none that can be believed. */
  async #loadHint(
    segment: Segment,
    size: number,
    isActive: boolean,
  ): Promise<ScanStart | undefined> {
    const { fs, directory, logger } = this.#context;
    const path = joinPath(directory, hintName(segment.fileId));
    if (fs.stat(path) === undefined) return undefined;
    try {
      const file = fs.open(path, "read");
      try {
        const hint = new HintReader(file);
        // The size anew: in a store that is open elsewhere, the segment may have grown meanwhile.
        if (
          hint.header?.fileId === segment.fileId && hint.header.coveredLength > segment.file.size()
        ) {
          this.#hintedLength = hint.header.coveredLength;
        }
        const start = hint.header === undefined
          ? undefined
          : checkBinding(hint.header, segment, size, isActive);
        if (hint.problem === undefined && start === undefined) {
          hint.problem = "it belongs to another state of the segment";
        }
        if (start !== undefined) await this.#applyHint(hint, segment, start);
        if (hint.problem === undefined && start !== undefined) {
          this.stats.hints++;
          this.stats.bytes += hint.size;
          segment.hintedLength = start.offset;
          return start;
        }
        logger.warn("Hint file {path} is not used, reading the segment instead: {problem}", {
          path,
          problem: hint.problem,
        });
      } finally {
        file.close();
      }
    } catch (error) {
      // A hint is only ever a shortcut: not even a disk that cannot read it stops the opening.
      if (!(error instanceof KvError)) throw error;
      logger.warn("Hint file {path} is not used, reading the segment instead: {problem}", {
        path,
        problem: error.message,
      });
    }
    return undefined;
  }

  async #applyHint(hint: HintReader, segment: Segment, start: ScanStart): Promise<void> {
    const batch = this.#batch;
    hint.beforeMove = () => batch.apply();
    let untilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
    while (hint.next()) {
      if (hint.op === OP_DELETE) start.tombstoneBytes += hint.frameLength;
      batch.add(
        hint.op,
        hint.buffer.bytes,
        hint.keyStart,
        hint.keyLength,
        segment,
        hint.offset,
        hint.frameLength,
        hint.crc,
        hint.lsn,
        hint.expiresAt,
      );
      if (--untilClockReading === 0) {
        untilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
        if (this.#slices.over) await this.#slices.pause();
      }
    }
    batch.apply();
  }

  /** Acts on what the scan found: nothing to do, a tail to cut off, or a log to refuse. */
  #settle(
    segment: Segment,
    scanner: SegmentScanner,
    size: number,
    framesEnd: number,
    expected: ActiveSegment,
    isActive: boolean,
  ): void {
    const { file, fileId } = segment;
    const { validEnd } = scanner;
    let durableOffset = Math.max(scanner.durableOffset, expected.length, this.#hintedLength);
    if (scanner.problem !== undefined && isActive) {
      // A mark that begins before `framesEnd`, and no later one, of a store that is open elsewhere.
      const searchEnd = Math.min(size, framesEnd + SYNC_FRAME_BYTES);
      const marked = findDurableOffset(file, fileId, validEnd, searchEnd);
      durableOffset = Math.max(durableOffset, marked);
    }
    const damaged = scanner.problem !== undefined || (isActive && durableOffset > validEnd);
    const verdict = decide({
      active: isActive,
      damaged,
      damagedBelowDurable: durableOffset > validEnd,
      complete: size === expected.length && scanner.chain === expected.chain,
    });
    if (verdict.then === "corrupt") {
      const problem = scanner.problem ?? `it should have ${durableOffset} bytes, and has ${size}`;
      this.#context.logger.warn("{path} is damaged at {offset}: {problem}", {
        path: file.path,
        fileId,
        offset: validEnd,
        problem,
      });
      throw corrupt(file.path, fileId, validEnd, `${problem} (${verdict.because})`);
    }
    if (isActive) {
      this.sealed = scanner.endsSealed && !damaged;
      this.durableOffset = durableOffset;
    }
    if (verdict.then === "truncate") this.#noteTornTail(segment, size, scanner.problem!);
    // Or else it is space that was kept ready for more.
    if (size > validEnd) this.#truncate(segment);
  }

  #noteTornTail(segment: Segment, size: number, problem: string): void {
    this.stats.truncatedBytes += size - segment.length;
    const message = "Torn tail of {path}: {bytes} bytes behind {offset} were never acknowledged";
    this.#context.logger.warn(message, {
      path: segment.file.path,
      fileId: segment.fileId,
      offset: segment.length,
      bytes: size - segment.length,
      problem,
    });
  }

  #truncate(segment: Segment): void {
    if (this.#context.readOnly) return;
    segment.file.truncate(segment.length);
    segment.file.sync();
  }

  #refuse(
    file: File,
    fileId: number,
    isActive: boolean,
    scanner: SegmentScanner,
    size: number,
  ): never {
    const { because } = decide({
      active: isActive,
      damaged: true,
      // The header was synced before ACTIVE named the file.
      damagedBelowDurable: true,
      complete: false,
    });
    const problem = size === 0 ? "the file is empty" : scanner.problem;
    throw corrupt(file.path, fileId, 0, `${problem} (${because})`);
  }
}

/** Whether a hint stands for this very segment; if so, where scanning may go on. */
function checkBinding(
  hint: HintHeader,
  segment: Segment,
  size: number,
  isActive: boolean,
): ScanStart | undefined {
  const { coveredLength } = hint;
  if (hint.fileId !== segment.fileId || hint.lastLsn < segment.firstLsn - 1) return undefined;
  if (isActive ? coveredLength > size : coveredLength !== size) return undefined;
  const at = coveredLength - SYNC_FRAME_BYTES;
  if (at < 0) return undefined;
  const frame = allocateBuffer(SYNC_FRAME_BYTES);
  const header = new FrameHeader();
  if (readFully(segment.file, frame.bytes, 0, SYNC_FRAME_BYTES, at) < SYNC_FRAME_BYTES) {
    return undefined;
  }
  if (decodeFrame(frame, 0, SYNC_FRAME_BYTES, header) !== FRAME_OK || header.op !== OP_SYNC) {
    return undefined;
  }
  const mark = decodeSyncMark(frame.view, 0, header.lsn);
  const bound = mark.fileId === segment.fileId && mark.ownOffset === at &&
    mark.recordCount === hint.recordCount && mark.chain === hint.chain;
  if (!bound) return undefined;
  return {
    offset: coveredLength,
    lastLsn: hint.lastLsn,
    recordCount: hint.recordCount,
    chain: extendChain(hint.chain, readFrameCrc(frame.view, 0, SYNC_FRAME_BYTES)),
    controlBytes: hint.controlBytes,
    tombstoneBytes: 0,
    sealed: mark.durableOffset === mark.ownOffset,
  };
}

function corrupt(path: string, fileId: number, offset: number, problem: string): KvError {
  return new KvError(
    "CorruptLog",
    `${path} is damaged at offset ${offset}: ${problem}; nothing was changed, ${DAMAGE_ADVICE}`,
    { path, fileId, offset },
  );
}
