/**
 * Which segment files of a damaged store are its log.
 *
 * ACTIVE says so. If it is missing, damaged or older than the files, all segments are taken, and the
 * newest LSN of a key wins. One kind must then be left out: what compaction replaced, but a crash
 * left behind. Its output no longer holds the deletes that it made superfluous, so values that they
 * deleted would come back.
 */

import type { ActiveSegment, ActiveState } from "../format/active.ts";
import { SEGMENT_FRAME_BYTES } from "../format/control_record.ts";
import { segmentName } from "../format/filename.ts";
import { LSN_LIMIT } from "../limits.ts";
import type { SkippedFile } from "./repair_report.ts";
import { judgeRuns, type LsnWindow } from "./run_judgement.ts";
import type { SegmentSurvey } from "./segment_survey.ts";

/** LSNs that records of any segment can have; the new store needs one above them. */
const LSN_WINDOW: LsnWindow = { min: 1, max: LSN_LIMIT - 1 };

/** A segment file of the source. */
export interface SourceSegment {
  path: string;
  /** Which segment it is: by its first frame if that is sound, else by its name. */
  fileId: number;
  survey: SegmentSurvey;
  /** LSN of its first record, as its first frame or else the first record found has it. */
  firstLsn: number;
  /** LSN of the last record found; less than `firstLsn` if there is none. */
  lastLsn: number;
  /** Records found. */
  records: number;
  /** What ACTIVE says of it; undefined if nothing does. */
  expected: ActiveSegment | undefined;
}

/** The segments that are the log. */
export interface SegmentChoice {
  /** In order of their first LSNs. */
  segments: SourceSegment[];
  /** The one that was being appended to, in which a torn tail is no damage. */
  newest: SourceSegment | undefined;
  /** Whether it is certain that no two of them hold records of the same LSNs. */
  disjoint: boolean;
  /** Ids that ACTIVE names and that are not there. */
  missing: number[];
  skipped: SkippedFile[];
  warnings: string[];
}

const OUTDATED = "ACTIVE is older than the segments: all of them were used";
const INCOMPLETE = "segments are missing: all that are there were used";

/** Describes a segment file after its survey. */
export function makeSourceSegment(
  path: string,
  fileId: number,
  survey: SegmentSurvey,
): SourceSegment {
  const min = survey.header?.firstLsn ?? LSN_WINDOW.min;
  const { runs } = judgeRuns(survey, { ...LSN_WINDOW, min });
  const records = runs.filter((run) => run.records > 0);
  const firstLsn = survey.header?.firstLsn ?? records[0]?.firstLsn ?? LSN_LIMIT;
  return {
    path,
    fileId: survey.header?.fileId ?? fileId,
    survey,
    firstLsn,
    lastLsn: records.reduce((max, run) => Math.max(max, run.lastLsn), firstLsn - 1),
    records: records.reduce((sum, run) => sum + run.records, 0),
    expected: undefined,
  };
}

/** Chooses the log's segments among all that were found; `active` is undefined if unreadable. */
export function chooseSegments(
  found: readonly SourceSegment[],
  active: ActiveState | undefined,
): SegmentChoice {
  if (active === undefined) return chooseAll(found.filter(mayHoldRecords), []);
  const named = new Set(active.segments.map(({ fileId }) => fileId));
  const isPresent = (fileId: number) => found.some((segment) => segment.fileId === fileId);
  const missing = [...named].filter((fileId) => !isPresent(fileId));
  const newer = found.filter((segment) =>
    !named.has(segment.fileId) && segment.fileId >= active.nextFileId && segment.records > 0
  );
  // What a compaction that did not come to its end leaves is newer as well, and means nothing.
  const isOutdated = newer.some(({ survey }) => survey.header?.compacted !== true) ||
    (missing.length > 0 && newer.length > 0);
  if (isOutdated) {
    return chooseAll(found.filter(mayHoldRecords), [OUTDATED]);
  }
  if (missing.length > 0) {
    return { ...chooseAll(found.filter(mayHoldRecords), [INCOMPLETE]), missing };
  }
  const segments = active.segments.flatMap((expected) =>
    found.filter(({ fileId }) => fileId === expected.fileId)
      .map((segment) => ({ ...segment, expected }))
  );
  return {
    segments,
    newest: segments.at(-1),
    disjoint: true,
    missing,
    skipped: found.filter(({ fileId }) => !named.has(fileId))
      .map(({ path }) => ({ path, reason: "ACTIVE does not name it: it is no part of the log" })),
    warnings: [],
  };
}

/** A crash may leave a segment that was being created. It is no loss, whatever is in it. */
function mayHoldRecords({ survey }: SourceSegment): boolean {
  return survey.header !== undefined || survey.size > SEGMENT_FRAME_BYTES;
}

function chooseAll(found: readonly SourceSegment[], warnings: string[]): SegmentChoice {
  const replacedBy = new Map<SourceSegment, SourceSegment>();
  for (const output of found) {
    for (const input of findReplaced(output, found)) replacedBy.set(input, output);
  }
  const segments = found.filter((segment) => !replacedBy.has(segment))
    .sort((left, right) => left.firstLsn - right.firstLsn || left.fileId - right.fileId);
  return {
    segments,
    newest: segments.findLast(({ survey }) => survey.header?.compacted !== true),
    disjoint: false,
    missing: [],
    skipped: [...replacedBy].map(([{ path }, output]) => ({
      path,
      reason: `compaction has replaced it by ${segmentName(output.fileId)}`,
    })),
    warnings,
  };
}

/**
 * The segments that a compaction output stands for, if it is certain that some of them are gone
 * already. As long as all are there, nothing can come back: every delete is there as well.
 */
function findReplaced(output: SourceSegment, found: readonly SourceSegment[]): SourceSegment[] {
  if (output.survey.header?.compacted !== true || !isComplete(output.survey)) return [];
  const inputs = found
    .filter((segment) =>
      segment.fileId < output.fileId && segment.firstLsn <= output.lastLsn &&
      segment.lastLsn >= output.firstLsn
    )
    .sort((left, right) => left.firstLsn - right.firstLsn);
  return coversAll(inputs, output) ? [] : inputs;
}

/** Whether a compaction output was written to its end: then its last frame is a mark. */
function isComplete({ runs, size }: SegmentSurvey): boolean {
  const last = runs.at(-1);
  return last !== undefined && last.end === size && last.endsWithMark &&
    last.recordsBefore !== undefined;
}

function coversAll(inputs: readonly SourceSegment[], output: SourceSegment): boolean {
  let lsn = output.firstLsn - 1;
  let mayHaveGap = false;
  for (const { firstLsn, lastLsn, survey } of inputs) {
    if (mayHaveGap ? firstLsn <= lsn : firstLsn !== lsn + 1) return false;
    lsn = lastLsn;
    mayHaveGap = survey.header?.compacted === true;
  }
  return lsn >= output.lastLsn;
}

/** The LSNs that records of a chosen segment can have, by its own header and its neighbours'. */
export function windowOf(segment: SourceSegment, choice: SegmentChoice): LsnWindow {
  const { segments, disjoint, newest } = choice;
  // A compacted segment that is not known to be alone may stand beside what it was made of.
  const isAlone = ({ survey }: SourceSegment) => disjoint || survey.header?.compacted === false;
  const neighbours = segments.filter((other) =>
    other.fileId !== segment.fileId && other.survey.header !== undefined && isAlone(other)
  );
  const position = segments.indexOf(segment);
  const next = neighbours.find((other) => segments.indexOf(other) > position);
  const previous = neighbours.findLast((other) => segments.indexOf(other) < position);
  const min = segment.survey.header?.firstLsn ?? (disjoint ? previous?.firstLsn : undefined);
  // Whatever compaction has written comes before the segment that is being appended to.
  const isBelow = newest?.survey.header !== undefined && segment.lastLsn < newest.firstLsn;
  const above = isAlone(segment) ? next : isBelow ? newest : undefined;
  return {
    min: min ?? LSN_WINDOW.min,
    max: above === undefined || above === segment ? LSN_WINDOW.max : above.firstLsn - 1,
  };
}
