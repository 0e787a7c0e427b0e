/** Which segments are worth compacting, and when: pure decisions over figures. */

import { SEGMENT_FRAME_BYTES, SYNC_FRAME_BYTES } from "../format/control_record.ts";

/** What the policy looks at in a segment. */
export interface SegmentFigures {
  length: number;
  /** The newest LSN in it. */
  lastLsn: number;
  aliveBytes: number;
  tombstoneBytes: number;
  controlBytes: number;
  /** Sets that were overwritten, deleted, or have expired. */
  supersededBytes: number;
}

/** Thresholds; see the option `compaction`. */
export interface CompactionThresholds {
  deadRatio: number;
  totalBytes: number;
  deadBytesMin: number;
  /** Deletes and expiries among so many of the newest LSNs are kept. */
  retainedVersions: number;
  segmentBytesMax: number;
}

/** A manual run leaves a segment alone that holds nothing dead but up to this share of marks. */
const MARKS_SHARE_MAX = 0.05;
/** A store is rewritten in so many steps, or more, unless they get shorter than is worth an fsync. */
const GROUPS_MIN = 8;
const GROUP_BYTES_MIN = 4 << 20;
/** In a small store a few fsyncs take longer than to write what it holds. */
const SLACK_BYTES_MIN = 8 << 20;
/** No smaller share of dead bytes has writes wait. */
const SLOWING_RATIO_MIN = 0.5;
/** Control records that every closed segment needs. */
const CONTROL_BYTES_MIN = SEGMENT_FRAME_BYTES + SYNC_FRAME_BYTES;

/** LSN up to which tombstones need not be kept for the sake of those who follow changes. */
export function forgettableLsn(
  { retainedVersions }: CompactionThresholds,
  lsnVisible: number,
): number {
  // Where none are kept, those in flight count as forgettable too: they soon will be.
  return retainedVersions === 0 ? Infinity : lsnVisible - retainedVersions;
}

/**
 * Bytes that rewriting a segment can give back. Its tombstones are among them once all of them may
 * be forgotten: before, rewriting it would leave some, and they would ask for the next run.
 */
export function reclaimableBytes(segment: SegmentFigures, forgettableLsn: number): number {
  return segment.supersededBytes + forgettableTombstoneBytes(segment, forgettableLsn) +
    Math.max(0, segment.controlBytes - CONTROL_BYTES_MIN);
}

function forgettableTombstoneBytes(segment: SegmentFigures, forgettableLsn: number): number {
  return segment.lastLsn <= forgettableLsn ? segment.tombstoneBytes : 0;
}

/**
 * Whether automatic compaction should start. `deadBytesSpared` is what the last run left behind:
 * counting it again would start one run after the other in vain. `bytesInFlight` are of sets that
 * are not visible yet: they are no key's state so far, and not dead either.
 */
export function shouldCompact(
  segments: readonly SegmentFigures[],
  thresholds: CompactionThresholds,
  forgettableLsn: number,
  deadBytesSpared: number,
  bytesInFlight: number,
): boolean {
  let totalBytes = 0;
  let deadBytes = -bytesInFlight;
  for (const segment of segments) {
    totalBytes += segment.length;
    deadBytes += reclaimableBytes(segment, forgettableLsn);
  }
  const deadBytesNew = deadBytes - Math.max(0, deadBytesSpared);
  if (deadBytesNew < thresholds.deadBytesMin || deadBytesNew <= 0) return false;
  if (deadBytes / totalBytes > thresholds.deadRatio) return true;
  return totalBytes > thresholds.totalBytes &&
    chooseWorthwhile(segments.slice(0, -1), thresholds, forgettableLsn).includes(true);
}

/** How far compaction is behind. */
export interface Lag {
  /** Dead bytes beyond those from which on compaction runs; negative while there are fewer. */
  excessBytes: number;
  /** So many of them there should be at most. */
  slackBytes: number;
}

/**
 * How far compaction is behind, and how far it may be: as many bytes as are alive, in a large store
 * those of two segments. A `deadRatio` below one half is no reason to slow writes down.
 */
export function lagOf(
  segments: readonly SegmentFigures[],
  { deadRatio, deadBytesMin, segmentBytesMax }: CompactionThresholds,
  forgettableLsn: number,
  bytesInFlight: number,
): Lag {
  // What is in flight is not dead, nor does it count as kept: where it overwrites what is there, much
  // in flight would seem to make up for as much that is dead.
  let keptBytes = 0;
  let deadBytes = -bytesInFlight;
  for (const segment of segments) {
    const reclaimable = reclaimableBytes(segment, forgettableLsn);
    deadBytes += reclaimable;
    keptBytes += segment.length - reclaimable;
  }
  const ratio = Math.max(deadRatio, SLOWING_RATIO_MIN);
  const aimBytes = Math.max(deadBytesMin, ratio < 1 ? keptBytes * ratio / (1 - ratio) : Infinity);
  return {
    excessBytes: deadBytes - aimBytes,
    slackBytes: Math.min(
      Math.max(SLACK_BYTES_MIN, aimBytes),
      Math.max(deadBytesMin, 2 * segmentBytesMax),
    ),
  };
}

/**
 * How many segments from the oldest on are clean if the chosen ones are rewritten: they then hold no
 * set that was superseded, so that tombstones behind them have nothing to hide.
 */
export function countClean(
  closed: readonly SegmentFigures[],
  chosen: readonly boolean[],
): number {
  const dirty = closed.findIndex((segment, index) => !chosen[index] && segment.supersededBytes > 0);
  return dirty < 0 ? closed.length : dirty;
}

/**
 * Which closed segments an automatic run rewrites: those that are mostly dead, and if the log as a
 * whole is, those as well that are so by half. Tombstones count only where they can be dropped, or
 * a segment of nothing else would be rewritten for ever.
 */
export function chooseWorthwhile(
  closed: readonly SegmentFigures[],
  thresholds: CompactionThresholds,
  forgettableLsn: number,
): boolean[] {
  const total = closed.reduce((sum, segment) => sum + segment.length, 0);
  const reclaimable = closed.map((segment) => reclaimableBytes(segment, forgettableLsn));
  const dead = reclaimable.reduce((sum, bytes) => sum + bytes, 0);
  const mostlyDead = total > 0 && dead / total > thresholds.deadRatio;
  const ratio = mostlyDead ? thresholds.deadRatio / 2 : thresholds.deadRatio;
  const chosen = closed.map((segment, index) => reclaimable[index]! / segment.length > ratio);
  const cleanCount = countClean(closed, chosen);
  return closed.map((segment, index) => {
    const hiding = index < cleanCount ? 0 : forgettableTombstoneBytes(segment, forgettableLsn);
    return (reclaimable[index]! - hiding) / segment.length > ratio;
  });
}

/** Whether a run should close the active segment first, so as to rewrite it too. */
export function shouldRotate(
  active: SegmentFigures,
  what: "all" | "worthwhile",
  thresholds: CompactionThresholds,
  forgettableLsn: number,
): boolean {
  if (what === "all") return isWorthAnything(active, forgettableLsn);
  return reclaimableBytes(active, forgettableLsn) / active.length > thresholds.deadRatio / 2;
}

/**
 * Which closed segments a manual run rewrites: all that hold anything dead, and small neighbours.
 * Marks alone are worth it only where they are many: every group commit leaves one.
 */
export function chooseAll(
  closed: readonly SegmentFigures[],
  thresholds: CompactionThresholds,
  forgettableLsn: number,
): boolean[] {
  const small = (segment: SegmentFigures | undefined) =>
    segment !== undefined && segment.length < thresholds.segmentBytesMax / 4;
  return closed.map((segment, index) =>
    isWorthAnything(segment, forgettableLsn) ||
    (small(segment) && (small(closed[index - 1]) || small(closed[index + 1])))
  );
}

/**
 * How many bytes a group that an automatic run rewrites should keep alive. A small store is rewritten
 * in several steps, because each takes room on the disk before it gives any back.
 */
export function groupBytesOf(
  closed: readonly SegmentFigures[],
  { segmentBytesMax }: CompactionThresholds,
): number {
  const aliveBytes = closed.reduce((sum, segment) => sum + segment.aliveBytes, 0);
  return Math.min(segmentBytesMax, Math.max(GROUP_BYTES_MIN, aliveBytes / GROUPS_MIN));
}

/**
 * Divides the chosen segments into groups of neighbours, each of which fits one new segment.
 * Returns the groups as lists of positions.
 */
export function groupNeighbours(
  closed: readonly SegmentFigures[],
  chosen: readonly boolean[],
  groupBytesMax: number,
): number[][] {
  const groups: number[][] = [];
  let current: number[] = [];
  let currentBytes = 0;
  closed.forEach((segment, index) => {
    const bytes = segment.aliveBytes + segment.tombstoneBytes;
    const joins = chosen[index] && current.length > 0 &&
      currentBytes + bytes + CONTROL_BYTES_MIN <= groupBytesMax;
    if (!joins) {
      if (current.length > 0) groups.push(current);
      current = [];
      currentBytes = 0;
    }
    if (chosen[index]) {
      current.push(index);
      currentBytes += bytes;
    }
  });
  if (current.length > 0) groups.push(current);
  return groups;
}

function isWorthAnything(segment: SegmentFigures, forgettableLsn: number): boolean {
  return segment.supersededBytes + forgettableTombstoneBytes(segment, forgettableLsn) > 0 ||
    reclaimableBytes(segment, forgettableLsn) > segment.length * MARKS_SHARE_MAX;
}
