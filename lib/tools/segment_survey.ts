/**
 * Reads a segment from front to back, over damage, and notes which stretches of it are sound frames.
 * Nothing is judged here: which of them are the log's own is decided by `run_judgement.ts`.
 */

import type { Clock } from "../clock.ts";
import {
  BATCH_FRAME_BYTES,
  decodeBatchHeader,
  decodeSegmentHeader,
  decodeSyncMark,
  type SegmentHeader,
} from "../format/control_record.ts";
import {
  describeFrameStatus,
  FRAME_OK,
  isDataOp,
  OP_BATCH,
  OP_SEGMENT,
  OP_SYNC,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { SegmentReader } from "../log/segment_reader.ts";
import { endOfFrames } from "../log/zero_tail.ts";
import { pause } from "./pause.ts";
import { FrameSearch, type Resumption } from "./frame_search.ts";

const FRAMES_PER_SLICE = 8192;

/** Frames one behind the other, with nothing between them but damaged ones whose ends are known. */
export interface Stretch {
  /**
   * Whether its frames are certainly no part of somebody's value: it begins where a frame of the
   * log ended, or links up to something that can only be the log's own.
   */
  anchored: boolean;
  /** Whether it links up to the end of the file. So does a value that the end of the file cuts. */
  linksToEnd: boolean;
}

/** A part of a stretch in which LSNs follow one another as they must. */
export interface FrameRun {
  stretch: Stretch;
  start: number;
  end: number;
  /** Records in it; control frames do not count. */
  records: number;
  /** LSN of its first record; 0 if it has none. */
  firstLsn: number;
  /** LSN of its last record; 0 if it has none. */
  lastLsn: number;
  /** The LSN before its end, as far as it follows from the frames up to there. */
  lsnAtEnd: number;
  /** Records in the file before it, as a mark in it tells; undefined if there is none. */
  recordsBefore: number | undefined;
  /** Whether a SYNC mark is its last frame. */
  endsWithMark: boolean;
  /** Whether it holds control frames that cannot stand there in this file. */
  isForeign: boolean;
}

/** A batch that is not all there. */
export interface BrokenBatch {
  /** Where its BATCH frame begins. */
  offset: number;
  firstLsn: number;
  lastLsn: number;
}

/** Bytes that are no sound frame, as they were met. */
export interface Damage {
  offset: number;
  message: string;
  /** The LSN in the damaged header; undefined if that is not one of a record. */
  claimedLsn: number | undefined;
}

/** What a segment's bytes say. */
export interface SegmentSurvey {
  size: number;
  /** The first frame of the file, if it is sound. */
  header: SegmentHeader | undefined;
  runs: FrameRun[];
  damages: Damage[];
  brokenBatches: BrokenBatch[];
  /** The furthest offset that a mark of this file calls durable. */
  durableOffset: number;
  /** The newest LSN that a mark of this file calls durable. */
  durableLsn: number;
}

/** Surveys the first `size` bytes of `file`, which by its name is segment `fileId`. */
export async function surveySegment(
  file: File,
  size: number,
  fileId: number,
  clock: Clock,
): Promise<SegmentSurvey> {
  const surveyor = new Surveyor(file, size, fileId, clock);
  await surveyor.run();
  return surveyor.survey;
}

class Surveyor {
  readonly survey: SegmentSurvey;

  #file: File;
  #fileId: number;
  #clock: Clock;
  #search: FrameSearch;
  #framesEnd: number;
  #stretch: Stretch = { anchored: true, linksToEnd: false };
  #run: FrameRun | undefined;
  #lastLsn = 0;
  /** The batch whose records are being read. */
  #batch: { offset: number; firstLsn: number; lastLsn: number; end: number } | undefined;
  #batchLsnNext = 0;

  constructor(file: File, size: number, fileId: number, clock: Clock) {
    this.#file = file;
    this.#fileId = fileId;
    this.#clock = clock;
    this.#framesEnd = endOfFrames(file, size);
    this.#search = new FrameSearch(file, size, this.#framesEnd);
    this.survey = {
      size,
      header: undefined,
      runs: [],
      damages: [],
      brokenBatches: [],
      durableOffset: 0,
      durableLsn: 0,
    };
  }

  async run(): Promise<void> {
    const { size } = this.survey;
    let resumption: Resumption | undefined = { offset: 0, atBoundary: true, skipsRecord: false };
    while (resumption !== undefined && resumption.offset < size) {
      // Behind a damaged frame whose end is known, the same frames go on.
      if (resumption.skipsRecord && this.#consecutive) this.#lastLsn++;
      if (!resumption.atBoundary) this.#stretch = { anchored: false, linksToEnd: false };
      const reader = new SegmentReader(this.#file, resumption.offset, size, this.#framesEnd);
      let frames = 0;
      while (reader.next()) {
        this.#take(reader);
        if (++frames % FRAMES_PER_SLICE === 0) await pause(this.#clock);
      }
      this.#endBatch(false);
      this.#endRun();
      if (reader.status === FRAME_OK) {
        this.#stretch.linksToEnd = true;
        if (reader.offset < size) this.#noteZeros(reader.offset);
        return;
      }
      this.survey.damages.push({
        offset: reader.offset,
        message: describeFrameStatus(reader.status),
        claimedLsn: this.#search.readDamagedLsn(reader.offset),
      });
      resumption = this.#search.resume(reader.offset, {
        fileId: this.#fileId,
        lastLsn: this.#lastLsn,
        firstLsn: this.#consecutive ? this.survey.header!.firstLsn : undefined,
      });
      await pause(this.#clock);
    }
  }

  /** Space that was kept ready for records; or there were some, whose LSNs are not to be reused. */
  #noteZeros(offset: number): void {
    const message = "zeros up to the end of the file";
    this.survey.damages.push({ offset, message, claimedLsn: undefined });
  }

  get #consecutive(): boolean {
    return this.survey.header?.compacted === false;
  }

  #take(reader: SegmentReader): void {
    const { op, lsn, frameLength } = reader.header;
    const end = reader.offset + frameLength;
    if (isDataOp(op)) {
      this.#takeRecord(reader.offset, lsn, end);
    } else {
      this.#endBatch(false);
      if (op === OP_SEGMENT) this.#takeHeader(reader);
      if (op === OP_SYNC) this.#takeMark(reader);
      if (op === OP_BATCH) this.#beginBatch(reader);
    }
    const run = this.#openRun(reader.offset);
    run.end = end;
    run.endsWithMark = op === OP_SYNC;
  }

  #takeRecord(offset: number, lsn: number, end: number): void {
    let run = this.#openRun(offset);
    const follows = run.records === 0 ||
      (this.#consecutive ? lsn === run.lastLsn + 1 : lsn > run.lastLsn);
    if (!follows) {
      this.#endBatch(false);
      this.#endRun();
      run = this.#openRun(offset);
    }
    // A compacted segment has one mark, its last frame.
    if (run.endsWithMark && this.survey.header?.compacted) run.isForeign = true;
    if (run.records === 0) run.firstLsn = lsn;
    run.lastLsn = lsn;
    run.records++;
    this.#lastLsn = lsn;
    if (this.#batch === undefined) return;
    if (lsn !== this.#batchLsnNext || end > this.#batch.end) return this.#endBatch(false);
    this.#batchLsnNext++;
    if (lsn === this.#batch.lastLsn) this.#endBatch(end === this.#batch.end);
  }

  #takeHeader(reader: SegmentReader): void {
    const header = decodeSegmentHeader(reader.buffer, reader.at, reader.header.lsn);
    // Bytes inserted at the beginning of the file move it.
    const isMoved = this.survey.header === undefined && header.fileId === this.#fileId;
    if (reader.offset !== 0 && !isMoved) {
      this.#openRun(reader.offset).isForeign = true;
      return;
    }
    this.survey.header = header;
    this.#fileId = header.fileId;
    this.#lastLsn = reader.header.lsn - 1;
  }

  #takeMark(reader: SegmentReader): void {
    const mark = decodeSyncMark(reader.buffer.view, reader.at, reader.header.lsn);
    const run = this.#openRun(reader.offset);
    if (mark.fileId !== this.#fileId || mark.ownOffset !== reader.offset) {
      // Bytes that were inserted move all marks behind them, but give them no other file.
      if (mark.fileId !== this.#fileId) run.isForeign = true;
      return;
    }
    this.#stretch.anchored = true;
    run.recordsBefore ??= mark.recordCount - run.records;
    this.survey.durableOffset = Math.max(this.survey.durableOffset, mark.durableOffset);
    this.survey.durableLsn = Math.max(this.survey.durableLsn, mark.durableLsn);
  }

  #beginBatch(reader: SegmentReader): void {
    const { count, byteLength } = decodeBatchHeader(reader.buffer.view, reader.at);
    const lastLsn = reader.header.lsn;
    if (this.survey.header?.compacted) this.#openRun(reader.offset).isForeign = true;
    if (count === 0 || count > lastLsn) return;
    const firstLsn = lastLsn - count + 1;
    const end = reader.offset + BATCH_FRAME_BYTES + byteLength;
    this.#lastLsn = Math.max(this.#lastLsn, firstLsn - 1);
    this.#batch = { offset: reader.offset, firstLsn, lastLsn, end };
    this.#batchLsnNext = firstLsn;
  }

  #endBatch(isWhole: boolean): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch === undefined || isWhole) return;
    const { offset, firstLsn, lastLsn } = batch;
    this.survey.brokenBatches.push({ offset, firstLsn, lastLsn });
  }

  #openRun(start: number): FrameRun {
    this.#run ??= {
      stretch: this.#stretch,
      start,
      end: start,
      records: 0,
      firstLsn: 0,
      lastLsn: 0,
      lsnAtEnd: 0,
      recordsBefore: undefined,
      endsWithMark: false,
      isForeign: false,
    };
    return this.#run;
  }

  #endRun(): void {
    const run = this.#run;
    this.#run = undefined;
    if (run === undefined) return;
    run.lsnAtEnd = this.#lastLsn;
    this.survey.runs.push(run);
  }
}
