/**
 * Decides which sound frames of a damaged segment are the log's own. A value may hold frames too: a
 * copy of another log, say. As long as the record around them is sound they are never looked at; if
 * it is damaged they may turn up in the search. What tells them apart is where they stand and which
 * LSNs they have:
 *
 * - A stretch is the log's own if it begins at a known boundary, holds a mark that names this file
 *   and its own offset, or links up to the end of the file.
 * - Any other must have LSNs that are missing between its neighbours, and must not be explained by
 *   the damaged record before it alone.
 */

import {
  BATCH_FRAME_BYTES,
  SEGMENT_FRAME_BYTES,
  SYNC_FRAME_BYTES,
} from "../format/control_record.ts";
import { frameLengthOf } from "../format/record.ts";
import type { Damage, FrameRun, SegmentSurvey } from "./segment_survey.ts";

/** The LSNs that records of a segment can have. */
export interface LsnWindow {
  min: number;
  max: number;
}

/** Bytes between accepted frames. */
export interface Gap {
  offset: number;
  length: number;
  reason: string;
  /** How many records stood there; undefined if that cannot be known. */
  recordsLost: number | undefined;
}

/** What of a segment counts. */
export interface Judgement {
  /** The runs that are the log's own, in order of their offsets. */
  runs: FrameRun[];
  /** Everything else. */
  gaps: Gap[];
}

const FRAME_BYTES_MIN = frameLengthOf(1, 0);
/** What a gap is long if nothing but control frames was damaged. */
const CONTROL_GAPS: ReadonlySet<number> = new Set([
  BATCH_FRAME_BYTES,
  SYNC_FRAME_BYTES,
  SYNC_FRAME_BYTES + BATCH_FRAME_BYTES,
]);

/** Judges the runs of a segment whose records can only have LSNs in `window`. */
export function judgeRuns(survey: SegmentSurvey, window: LsnWindow): Judgement {
  const damages = new Map(survey.damages.map((damage) => [damage.offset, damage]));
  const isAnchored = (run: FrameRun) => run.stretch.anchored && isWithin(run, window);
  const following = findFollowing(survey, isAnchored);
  const hasRoom = hasRoomForDoubtful(survey.runs.filter(isAnchored));
  const runs: FrameRun[] = [];
  let lsnBefore = window.min - 1;
  let gapStart = 0;
  survey.runs.forEach((run, index) => {
    if (!isAnchored(run)) {
      if (run.stretch.anchored || run.records === 0 || !isWithin(run, window)) return;
      const claimedLsn = damages.get(gapStart)?.claimedLsn;
      const gap = { start: gapStart, lsnBefore, claimedLsn, ...following[index]! };
      if (isConsecutive(survey) ? !fitsConsecutive(run, gap) : !hasRoom || !fits(run, gap)) return;
    }
    runs.push(run);
    lsnBefore = Math.max(lsnBefore, run.lastLsn);
    gapStart = run.end;
  });
  return { runs, gaps: findGaps(survey, runs, damages) };
}

function isWithin(run: FrameRun, { min, max }: LsnWindow): boolean {
  return run.records === 0 || (run.firstLsn >= min && run.lastLsn <= max);
}

/** Whether LSNs ascend by exactly one in this segment. */
function isConsecutive(survey: SegmentSurvey): boolean {
  return survey.header?.compacted === false;
}

/** The LSN that the first record of a run has, or would have. */
function lsnAtStart(run: FrameRun, survey: SegmentSurvey): number | undefined {
  if (run.records > 0) return run.firstLsn;
  if (run.recordsBefore === undefined || !isConsecutive(survey)) return undefined;
  return survey.header!.firstLsn + run.recordsBefore;
}

/** What stands around a run of which it is not certain that it is the log's own. */
interface Surroundings {
  /** Where the sound frames before it end. */
  start: number;
  /** Where the certain frames behind it begin. */
  end: number;
  /** The newest LSN before it. */
  lsnBefore: number;
  /** The least LSN behind it; Infinity if none is known. */
  lsnAfter: number;
  /** The LSN that the damaged header before it gives. */
  claimedLsn: number | undefined;
}

/** For each run, what is known of the certain ones behind it. */
function findFollowing(
  survey: SegmentSurvey,
  isAnchored: (run: FrameRun) => boolean,
): Pick<Surroundings, "end" | "lsnAfter">[] {
  let end = survey.size;
  let lsnAfter = Infinity;
  const following = survey.runs.toReversed().map((run) => {
    const known = { end, lsnAfter };
    if (isAnchored(run)) {
      end = run.start;
      lsnAfter = Math.min(lsnAfter, lsnAtStart(run, survey) ?? Infinity);
    }
    return known;
  });
  return following.reverse();
}

function fits(run: FrameRun, { lsnBefore, lsnAfter }: Surroundings): boolean {
  return run.firstLsn > lsnBefore && run.lastLsn < lsnAfter;
}

function fitsConsecutive(run: FrameRun, around: Surroundings): boolean {
  if (!fits(run, around)) return false;
  const { start, end, lsnBefore, lsnAfter, claimedLsn } = around;
  const bytesBefore = run.start - start;
  const missingBefore = run.firstLsn - lsnBefore - 1;
  if (lsnAfter === Infinity && missingBefore * FRAME_BYTES_MIN > bytesBefore) return false;
  if (missingBefore > 0) return true;
  // The damaged header says that this very record begins there: then this one is part of its value.
  if (claimedLsn === run.firstLsn) return false;
  // Nothing would be missing, and yet something is damaged on both sides: more likely a value.
  return run.lastLsn + 1 < lsnAfter || CONTROL_GAPS.has(bytesBefore) ||
    CONTROL_GAPS.has(end - run.end);
}

/**
 * In a compacted segment LSNs have gaps and tell less, but its mark counts the records. Each gap
 * between certain frames holds at least one damaged record; if no more are missing than there are
 * gaps, no doubtful frame can be one of them.
 */
function hasRoomForDoubtful(anchored: readonly FrameRun[]): boolean {
  const marked = anchored.findIndex((run) => run.recordsBefore !== undefined);
  if (marked < 0) return true;
  let records = 0;
  let gaps = 0;
  let end = 0;
  for (const run of anchored.slice(0, marked + 1)) {
    if (run.start > end) gaps++;
    end = run.end;
    if (run !== anchored[marked]) records += run.records;
  }
  return anchored[marked]!.recordsBefore! - records > gaps;
}

function findGaps(
  survey: SegmentSurvey,
  runs: readonly FrameRun[],
  damages: ReadonlyMap<number, Damage>,
): Gap[] {
  const gaps: Gap[] = [];
  const consecutive = isConsecutive(survey);
  let end = 0;
  let lsn: number | undefined = consecutive ? survey.header!.firstLsn - 1 : undefined;
  for (const run of runs) {
    if (run.start > end) {
      const lsnNext = lsnAtStart(run, survey);
      // All that stands before the first record is the file's own header.
      const isHeader = end === 0 && run.start === SEGMENT_FRAME_BYTES;
      const known = consecutive && lsn !== undefined && lsnNext !== undefined && lsnNext > lsn;
      const recordsLost = isHeader ? 0 : known ? lsnNext - lsn! - 1 : undefined;
      gaps.push(makeGap(damages, end, run.start, recordsLost));
    }
    end = run.end;
    const lsnStart = lsnAtStart(run, survey);
    if (consecutive && lsnStart !== undefined) lsn = lsnStart + run.records - 1;
  }
  if (end < survey.size) gaps.push(makeGap(damages, end, survey.size, undefined));
  return gaps;
}

function makeGap(
  damages: ReadonlyMap<number, Damage>,
  offset: number,
  end: number,
  recordsLost: number | undefined,
): Gap {
  return {
    offset,
    length: end - offset,
    reason: damages.get(offset)?.message ?? "sound frames that do not belong here",
    recordsLost,
  };
}
