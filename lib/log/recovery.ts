/**
 * What recovery makes of a segment: the table of cases, and the search for marks behind damage.
 * docs/recovery.md shows the same table; a test holds the two against each other.
 */

import { assert } from "../assert.ts";
import { decodeSyncMark, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import {
  allocateBuffer,
  decodeFrame,
  FRAME_MAGIC,
  FRAME_OK,
  FrameHeader,
  OP_SYNC,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";

/** What is known about a segment after it was scanned. */
export interface SegmentFindings {
  /** Whether it is the segment that was being appended to, rather than a closed one. */
  active: boolean;
  /** Whether bytes were found that are not what was written. */
  damaged: boolean;
  /** Whether it begins before the furthest offset that a mark, ACTIVE or a hint calls durable. */
  damagedBelowDurable: boolean;
  /** Whether it is, in length and checksum chain, the segment that was closed, as ACTIVE says. */
  complete: boolean;
}

/** What to do with a segment. */
export type Verdict = "intact" | "truncate" | "corrupt";

/** One row of the table; a condition that is absent may be either way. */
export interface RecoveryCase {
  when: Partial<SegmentFindings>;
  then: Verdict;
  because: string;
}

/** The cases, of which the first that fits decides. Every combination fits one. */
export const RECOVERY_CASES: readonly RecoveryCase[] = [
  {
    when: { active: false, damaged: true },
    then: "corrupt",
    because: "a segment is closed only after all of it was synced",
  },
  {
    when: { active: false, damaged: false, complete: false },
    then: "corrupt",
    because: "ACTIVE says how long a closed segment is and what its frames add up to",
  },
  {
    when: { active: false, damaged: false, complete: true },
    then: "intact",
    because: "everything that was written is there",
  },
  {
    when: { active: true, damaged: true, damagedBelowDurable: true },
    then: "corrupt",
    because:
      "a mark, ACTIVE or the hint file says that these bytes were durable: they were acknowledged",
  },
  {
    when: { active: true, damaged: true, damagedBelowDurable: false },
    then: "truncate",
    because: "nothing says that these bytes were durable: a write was cut short by a crash",
  },
  {
    when: { active: true, damaged: false },
    then: "intact",
    because: "every frame is whole",
  },
];

/** Looks up what to do with a segment. */
export function decide(findings: SegmentFindings): RecoveryCase {
  const fitting = RECOVERY_CASES.find(({ when }) =>
    Object.entries(when).every(([name, value]) => findings[name as keyof SegmentFindings] === value)
  );
  assert(fitting !== undefined, "the recovery table is exhaustive");
  return fitting;
}

const SEARCH_BYTES = 1 << 20;

/**
 * Finds the furthest offset that a SYNC mark in `[start, end)` calls durable; 0 if there is none.
 * Used behind damage, where frame boundaries are lost: every byte may begin a mark. A mark counts
 * only if it names this file and the very offset where it stands.
 */
export function findDurableOffset(file: File, fileId: number, start: number, end: number): number {
  const buffer = allocateBuffer(Math.min(SEARCH_BYTES, Math.max(end - start, SYNC_FRAME_BYTES)));
  const header = new FrameHeader();
  const firstByte = FRAME_MAGIC & 0xff;
  let durable = 0;
  let position = start;
  while (position < end) {
    const wanted = Math.min(buffer.bytes.length, end - position);
    const count = readFully(file, buffer.bytes, 0, wanted, position);
    let at = buffer.bytes.indexOf(firstByte);
    while (at >= 0 && at + SYNC_FRAME_BYTES <= count) {
      if (
        buffer.view.getUint32(at, true) === FRAME_MAGIC &&
        buffer.view.getUint8(at + 6) === OP_SYNC &&
        decodeFrame(buffer, at, SYNC_FRAME_BYTES, header) === FRAME_OK
      ) {
        const mark = decodeSyncMark(buffer.view, at, header.lsn);
        const isOwn = mark.fileId === fileId && mark.ownOffset === position + at;
        if (isOwn && mark.durableOffset <= mark.ownOffset) {
          durable = Math.max(durable, mark.durableOffset);
        }
      }
      at = buffer.bytes.indexOf(firstByte, at + 1);
    }
    if (count < wanted || position + count >= end) break;
    // Begin again where a mark could start that this piece cut off.
    position += count - SYNC_FRAME_BYTES + 1;
  }
  return durable;
}
