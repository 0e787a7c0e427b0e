/**
 * Decides which sound frames of a damaged segment are the log's own. A value may hold frames too: a
 * copy of another log, say. As long as the record around them is sound they are never looked at; if
 * it is damaged they may turn up in the search. What tells them apart is where they stand and which
 * LSNs they have:
 *
 * - A stretch is the log's own if it begins at a known boundary, or holds a mark that names this
 *   file and its own offset.
 * - Any other must have LSNs that are missing between its neighbours, must not be explained by the
 *   damaged record before it alone, and must be part of the longest sequence of such stretches.
 */

import {
  BATCH_FRAME_BYTES,
  SEGMENT_FRAME_BYTES,
  SYNC_FRAME_BYTES,
} from "../format/control_record.ts";
import { FRAME_TRAILER_BYTES, frameLengthOf } from "../format/record.ts";
import type { Damage, FrameRun, SegmentSurvey, Stretch } from "./segment_survey.ts";

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
  const roomStart = findRoomStart(survey, survey.runs.filter(isAnchored));
  // Beyond that a damaged header more likely holds rubbish than an LSN.
  const lsnMax = survey.runs.reduce((max, run) => Math.max(max, run.lastLsn), 0);
  const claimMax = Math.min(window.max, lsnMax + survey.size);
  const runs: FrameRun[] = [];
  let doubtful: FrameRun[] = [];
  let before: Neighbour = { end: 0, lastLsn: window.min - 1, stretch: undefined };
  const settle = (end: number, lsnAfter: number) => {
    const link = (prior: Neighbour, run: FrameRun): boolean => {
      // Without the first frame it is not known what a gap in the LSNs would mean.
      const claimed = survey.header && damages.get(prior.end)?.claimedLsn;
      const claimedLsn = (claimed ?? Infinity) <= claimMax ? claimed : undefined;
      return follows(run, prior, { end, lsnAfter, claimedLsn }, isConsecutive(survey));
    };
    runs.push(...chooseChain(doubtful, before, link));
    doubtful = [];
  };
  for (const run of survey.runs) {
    if (isAnchored(run)) {
      settle(run.start, lsnAtStart(run, survey) ?? Infinity);
      runs.push(run);
      // A mark tells how many records come before it, whether or not they can be read.
      const isCounted = run.recordsBefore !== undefined && isConsecutive(survey);
      const lastLsn = isCounted ? (lsnAtStart(run, survey) ?? 0) + run.records - 1 : run.lsnAtEnd;
      before = { ...run, lastLsn: Math.max(before.lastLsn, lastLsn) };
    } else if (
      !run.stretch.anchored && !run.isForeign && run.records > 0 && isWithin(run, window) &&
      run.start >= roomStart
    ) doubtful.push(run);
  }
  settle(survey.size, Infinity);
  return { runs, gaps: findGaps(survey, runs, damages) };
}

/** What comes before a run. */
type Neighbour = Pick<FrameRun, "end" | "lastLsn"> & { stretch: Stretch | undefined };

/** How many runs back the choice of the best chain looks; more than any real damage makes. */
const CHAIN_WINDOW = 256;

/**
 * Of doubtful runs, the ones that can follow one another and hold the most records. A value that is
 * a copy of the log holds older records than those around it, so it breaks the order.
 */
function chooseChain(
  doubtful: readonly FrameRun[],
  before: Neighbour,
  link: (prior: Neighbour, run: FrameRun) => boolean,
): FrameRun[] {
  const best: { records: number; prior: number }[] = [];
  let last = -1;
  doubtful.forEach((run, index) => {
    let choice = link(before, run) ? { records: run.records, prior: -1 } : undefined;
    for (let prior = Math.max(0, index - CHAIN_WINDOW); prior < index; prior++) {
      const records = best[prior]!.records + run.records;
      if (records <= (choice?.records ?? run.records) || !link(doubtful[prior]!, run)) continue;
      choice = { records, prior };
    }
    best.push(choice ?? { records: -Infinity, prior: -1 });
    if (choice !== undefined && choice.records > (best[last]?.records ?? 0)) last = index;
  });
  const chain: FrameRun[] = [];
  for (let index = last; index >= 0; index = best[index]!.prior) chain.push(doubtful[index]!);
  return chain.reverse();
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

/** What else is known of the place of a doubtful run. */
interface Surroundings {
  /** Where the certain frames behind it begin. */
  end: number;
  /** The least LSN behind it; Infinity if none is known. */
  lsnAfter: number;
  /** The LSN that the damaged header before it gives; undefined if it gives none that can be. */
  claimedLsn: number | undefined;
}

/** Whether a doubtful run can be the next one of the log's own behind `prior`. */
function follows(
  run: FrameRun,
  prior: Neighbour,
  around: Surroundings,
  consecutive: boolean,
): boolean {
  const { lsnAfter, claimedLsn = 0 } = around;
  if (run.firstLsn <= prior.lastLsn || run.lastLsn >= lsnAfter) return false;
  if (run.stretch === prior.stretch) return true;
  if (consecutive) return followsAtOnce(run, prior, around);
  // A copy of older records, dropped since, fits into the gaps that they left; but not behind the
  // record that holds it.
  return run.stretch.linksToEnd || claimedLsn >= lsnAfter || run.firstLsn > claimedLsn;
}

/** As {@link follows}, where LSNs ascend by exactly one. */
function followsAtOnce(run: FrameRun, prior: Neighbour, around: Surroundings): boolean {
  const { end, lsnAfter, claimedLsn } = around;
  const bytesBefore = run.start - prior.end;
  const missingBefore = run.firstLsn - prior.lastLsn - 1;
  const isLast = run.stretch.linksToEnd;
  if (lsnAfter === Infinity && !isLast && missingBefore * FRAME_BYTES_MIN > bytesBefore) {
    return false;
  }
  if (missingBefore > 0) return true;
  // The damaged header says that this very record begins there: then this one is part of its value.
  if (claimedLsn === run.firstLsn) return false;
  if (run.lastLsn + 1 < lsnAfter) return true;
  // Nothing would be missing, and yet something is damaged on both sides: then it is more likely
  // part of the value of one record, if there is room behind it for those that it would stand for.
  const displaced = run.records - 1;
  const isPossiblyValue = displaced * FRAME_BYTES_MIN <= end - run.end - FRAME_TRAILER_BYTES;
  return !isPossiblyValue || CONTROL_GAPS.has(bytesBefore) || CONTROL_GAPS.has(end - run.end);
}

/**
 * Up to where a compacted segment has no room for doubtful records. LSNs have gaps there and tell
 * less, but its mark counts the records. Each gap between certain frames holds at least one damaged
 * record; if no more are missing than there are gaps, no doubtful frame can be one of them.
 */
function findRoomStart({ header }: SegmentSurvey, anchored: readonly FrameRun[]): number {
  const marked = anchored.findLastIndex((run) => run.recordsBefore !== undefined);
  if (marked < 0 || header?.compacted !== true) return 0;
  let records = 0;
  let gaps = 0;
  let end = 0;
  for (const run of anchored.slice(0, marked + 1)) {
    if (run.start > end) gaps++;
    end = run.end;
    if (run !== anchored[marked]) records += run.records;
  }
  return anchored[marked]!.recordsBefore! - records > gaps ? 0 : anchored[marked]!.start;
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
