/** What of a chosen segment is lost, what is a torn tail, and which batches are not whole. */

import type { File } from "../fs/file_system.ts";
import { findDurableOffset } from "../log/recovery.ts";
import { SEGMENT_BYTES_LIMIT } from "../limits.ts";
import type { BrokenBatchReport, LostRange } from "./repair_report.ts";
import type { Judgement, LsnWindow } from "./run_judgement.ts";
import type { BrokenBatch } from "./segment_survey.ts";
import type { SourceSegment } from "./segment_choice.ts";

/** LSNs of records that are left out, both ends included. */
export interface LsnRange {
  firstLsn: number;
  lastLsn: number;
}

/** The account of one segment. */
export interface SegmentLosses {
  lost: LostRange[];
  batches: BrokenBatchReport[];
  /** Records of batches that are not whole. */
  leftOut: LsnRange[];
  tornBytes: number;
  /** Bytes behind the last record of the segment, there or not, in which there may have been more. */
  tailBytes: number;
}

/** Draws up the account of a segment; only the newest one may have a torn tail. */
export function findLosses(
  file: File,
  segment: SourceSegment,
  judgement: Judgement,
  window: LsnWindow,
  isNewest: boolean,
  keepPartialBatches: boolean,
): SegmentLosses {
  const { path, survey } = segment;
  const { gaps } = judgement;
  const broken = survey.brokenBatches.filter((batch) => isOwnBatch(batch, judgement));
  const tornFrom = isNewest ? findTornTail(file, segment, judgement, broken) : Infinity;
  const lengthWritten = isNewest ? Infinity : segment.expected?.length ?? Infinity;
  const losses: SegmentLosses = {
    // What begins right behind the end that ACTIVE gives was never written by Cairn.
    lost: gaps.filter(({ offset }) => offset < tornFrom && offset !== lengthWritten)
      .map((gap) => makeLost(path, gap)),
    batches: broken.filter(({ offset }) => offset < tornFrom)
      .map((batch) => describeBatch(path, batch, judgement, keepPartialBatches)),
    leftOut: keepPartialBatches ? [] : broken,
    tornBytes: Math.max(0, survey.size - tornFrom),
    tailBytes: countTailBytes(judgement),
  };
  const missingEnd = findMissingEnd(segment, judgement, window, isNewest);
  if (missingEnd !== undefined) losses.lost.push(missingEnd);
  if (missingEnd !== undefined && missingEnd.recordsLost !== 0) {
    // The newest one may have grown since ACTIVE was written: nobody knows how long it was.
    losses.tailBytes += isNewest ? SEGMENT_BYTES_LIMIT : missingEnd.length;
  }
  return losses;
}

/** Whether a batch comes where its LSNs are due. One inside a value copied from the log does not. */
function isOwnBatch({ offset, firstLsn }: BrokenBatch, { runs }: Judgement): boolean {
  return runs.every((run) => run.end > offset || run.lastLsn < firstLsn);
}

function countTailBytes({ runs, gaps }: Judgement): number {
  const start = runs.findLast((run) => run.records > 0)?.end ?? 0;
  return gaps.reduce((sum, { offset, length }) => offset >= start ? sum + length : sum, 0);
}

function makeLost(path: string, gap: Judgement["gaps"][number]): LostRange {
  const { offset, length, reason, recordsLost } = gap;
  return { path, offset, length, reason, ...(recordsLost === undefined ? {} : { recordsLost }) };
}

/**
 * A closed segment has the length that ACTIVE gives; if that is unknown, it ends with a mark. The
 * newest one is at least as long as ACTIVE says.
 */
function findMissingEnd(
  { path, survey, lastLsn, expected }: SourceSegment,
  { runs }: Judgement,
  { max }: LsnWindow,
  isNewest: boolean,
): LostRange | undefined {
  const { size } = survey;
  const last = runs.at(-1);
  const length = Math.max(0, (expected?.length ?? size) - size);
  const isWhole = expected === undefined
    ? isNewest || last === undefined || last.end < size || last.endsWithMark
    : length === 0;
  if (isWhole) return undefined;
  const isOnlyMark = survey.header?.compacted === false && lastLsn === max;
  return {
    path,
    offset: size,
    length,
    reason: "the end of the file is missing",
    ...(isOnlyMark ? { recordsLost: 0 } : {}),
  };
}

/**
 * Where the torn tail of the newest segment begins, or Infinity if there is none: bytes at the end
 * that no mark calls durable, as recovery would cut them off.
 */
function findTornTail(
  file: File,
  { fileId, survey, expected }: SourceSegment,
  { runs, gaps }: Judgement,
  broken: readonly BrokenBatch[],
): number {
  const { size } = survey;
  const tail = gaps.at(-1);
  let start = tail !== undefined && tail.offset + tail.length === size ? tail.offset : size;
  const last = broken.at(-1);
  const lastRun = runs.at(-1);
  if (last !== undefined && lastRun !== undefined) {
    const isAtEnd = lastRun.end === start && lastRun.start <= last.offset &&
      (lastRun.records === 0 || lastRun.lastLsn <= last.lastLsn) && !lastRun.endsWithMark;
    if (isAtEnd) start = last.offset;
  }
  // Without a sound first frame nothing is known of what was durable.
  if (start === 0 || start === size) return Infinity;
  const durable = Math.max(
    expected?.length ?? 0,
    survey.durableOffset,
    findDurableOffset(file, fileId, start, size),
  );
  return durable > start ? Infinity : start;
}

function describeBatch(
  path: string,
  { offset, firstLsn, lastLsn }: BrokenBatch,
  { runs }: Judgement,
  kept: boolean,
): BrokenBatchReport {
  let recordsReadable = 0;
  for (const run of runs) {
    const first = Math.max(firstLsn, run.firstLsn);
    const last = Math.min(lastLsn, run.lastLsn);
    if (run.records > 0 && first <= last) recordsReadable += last - first + 1;
  }
  return { path, offset, records: lastLsn - firstLsn + 1, recordsReadable, kept };
}
