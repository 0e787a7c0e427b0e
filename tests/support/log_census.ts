/**
 * What the files of a store say by themselves: every record read from front to back and applied to a
 * Map. No index, no hint file and no figure that the store keeps has a part in it, so that all of
 * those can be held against it.
 */

import assert from "node:assert/strict";
import { decodeActive } from "../../lib/format/active.ts";
import { joinPath, segmentName, WAL_NAME } from "../../lib/format/filename.ts";
import { decodeKey } from "../../lib/format/key.ts";
import {
  FRAME_HEADER_BYTES,
  FRAME_TRAILER_BYTES,
  OP_DELETE,
  OP_SET_EXPIRING,
  readU64,
} from "../../lib/format/record.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { SegmentScanner } from "../../lib/log/segment_scanner.ts";
import { endOfFrames } from "../../lib/log/zero_tail.ts";

/** A key as the log has it. */
export interface CensusEntry {
  value: Uint8Array;
  version: number;
  expiresAt: number;
  frameLength: number;
  fileId: number;
}

/** The state of a store, and what its files are made of. */
export interface Census {
  entries: Map<string, CensusEntry>;
  fileIds: number[];
  totalBytes: number;
  aliveBytes: number;
  deletes: number;
  records: number;
  lastLsn: number;
}

/** Reads the store in `path`, closed or flushed, as of the time `now`. */
export function takeCensus(fs: FileSystem, path: string, now: number): Census {
  const directory = joinPath(path, WAL_NAME);
  const state = decodeActive(readFile(fs, joinPath(directory, "ACTIVE"), 1 << 20));
  assert("segments" in state, "ACTIVE is whole");
  const census: Census = {
    entries: new Map(),
    fileIds: state.segments.map(({ fileId }) => fileId),
    totalBytes: 0,
    aliveBytes: 0,
    deletes: 0,
    records: 0,
    lastLsn: 0,
  };
  for (const fileId of census.fileIds) {
    const file = fs.open(joinPath(directory, segmentName(fileId)), "read");
    try {
      const size = file.size();
      // Behind the frames of the newest one there may be space for more.
      const framesEnd = fileId === census.fileIds.at(-1) ? endOfFrames(file, size) : size;
      const expected = { fileId, nodeId: state.nodeId };
      const scanner: SegmentScanner = new SegmentScanner(file, size, expected, 0, framesEnd);
      assert(scanner.readHeader(), `segment ${fileId} has a header: ${scanner.problem}`);
      while (scanner.next()) apply(census, scanner, fileId, now);
      assert.equal(scanner.problem, undefined, `segment ${fileId}`);
      assert(scanner.lastLsn >= census.lastLsn, "segments ascend");
      census.lastLsn = scanner.lastLsn;
      census.totalBytes += scanner.validEnd;
    } finally {
      file.close();
    }
  }
  for (const { frameLength } of census.entries.values()) census.aliveBytes += frameLength;
  return census;
}

function apply(census: Census, { reader }: SegmentScanner, fileId: number, now: number): void {
  const { header, buffer, at } = reader;
  const { op, lsn, keyLength, storedValueLength, frameLength } = header;
  const valueAt = at + FRAME_HEADER_BYTES + keyLength;
  const key = decodeKey(buffer.bytes.subarray(at + FRAME_HEADER_BYTES, valueAt));
  census.records++;
  if (op === OP_DELETE) census.deletes++;
  const expiresAt = op === OP_SET_EXPIRING ? readU64(buffer.view, valueAt) : 0;
  if (op === OP_DELETE || (expiresAt !== 0 && expiresAt <= now)) {
    census.entries.delete(key);
    return;
  }
  const valueEnd = at + frameLength - FRAME_TRAILER_BYTES;
  const valueLength = storedValueLength - (expiresAt === 0 ? 0 : 8);
  const value = buffer.bytes.slice(valueEnd - valueLength, valueEnd);
  census.entries.set(key, { value, version: lsn, expiresAt, frameLength, fileId });
}
