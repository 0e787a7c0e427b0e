/** Reads a segment to copy it: every frame is checked before its bytes are handed out. */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import type { PinnedFile } from "../log/pinned_file.ts";
import { SegmentScanner } from "../log/segment_scanner.ts";
import { pause } from "./pause.ts";
import { ReadAhead } from "./read_ahead.ts";

const RECORDS_PER_SLICE = 4096;

/** A segment as it must be found. */
export interface ExpectedSegment {
  fileId: number;
  nodeId: Uint8Array;
  /** So much of the file is copied: up to the end of a frame, and not into a batch. */
  length: number;
  /** The checksum chain over all frames of a closed segment; undefined for the newest one. */
  chain: number | undefined;
  /** The newest LSN up to `length`, if that is known. */
  lastLsn: number | undefined;
}

/**
 * The bytes of a segment in pieces that the caller may keep. `assertOpen` is called after whatever
 * was waited for, and may throw; the `clock` says how to give way to others. Throws `CorruptLog` where the segment is not what it must be: what
 * was handed out before is sound, but not all of it.
 */
export async function* readChecked(
  source: PinnedFile,
  expected: ExpectedSegment,
  assertOpen: () => void,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const { fileId, length, chain, lastLsn } = expected;
  const ahead = new ReadAhead(source, length);
  const scanner = new SegmentScanner(ahead, length, expected);
  const { reader } = scanner;
  for (let records = 0;; records++) {
    const checked = reader.offset + reader.header.frameLength;
    while (!ahead.covers(checked, reader.buffer.bytes.length)) {
      for (const piece of ahead.handOn(checked)) yield piece;
      // Of its own accord a file in memory would let nobody else have a turn.
      await pause(clock);
      assertOpen();
      await ahead.readOn();
      assertOpen();
    }
    if (records % RECORDS_PER_SLICE === 0) {
      await pause(clock);
      assertOpen();
    }
    if (!(scanner.segmentHeader === undefined ? scanner.readHeader() : scanner.next())) break;
  }
  const problem = scanner.problem ?? findDifference(scanner, length, chain, lastLsn);
  if (problem !== undefined) throw damaged(source.file.path, fileId, scanner.validEnd, problem);
  for (const piece of ahead.handOn(length)) yield piece;
}

/** Every frame is sound: why they are not those that were written, all the same. */
function findDifference(
  scanner: SegmentScanner,
  length: number,
  chain: number | undefined,
  lastLsn: number | undefined,
): string | undefined {
  if (scanner.validEnd !== length) return `it should have ${length} bytes`;
  if (chain !== undefined && scanner.chain !== chain) {
    return "its frames are not those that were written";
  }
  if (lastLsn === undefined || scanner.lastLsn === lastLsn) return undefined;
  return `its newest record is ${scanner.lastLsn}, and should be ${lastLsn}`;
}

function damaged(path: string, fileId: number, offset: number, problem: string): KvError {
  return new KvError(
    "CorruptLog",
    `Cannot copy ${path}: it is damaged at offset ${offset} (${problem}); the copy was given up ` +
      `and the store left as it is, restore an earlier backup or run cairn repair`,
    { path, fileId, offset },
  );
}
