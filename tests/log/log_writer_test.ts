/** The log writer by itself, where no store asks for things in that order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SEGMENT_FRAME_BYTES } from "../../lib/format/control_record.ts";
import { finishFrame, frameLengthOf, OP_SET, writeFrameHeader } from "../../lib/format/record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { ActiveFile, readActive } from "../../lib/log/active_file.ts";
import { LogWriter } from "../../lib/log/log_writer.ts";
import { createSegment } from "../../lib/log/segment_file.ts";
import { SegmentSet } from "../../lib/log/segment_set.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";

const WAL = "/wal";

function openWriter(fs: InterceptingFileSystem): LogWriter {
  fs.makeDirectory(WAL);
  const nodeId = new Uint8Array(16).fill(7);
  const segments = new SegmentSet();
  const header = { fileId: 1, compacted: false, createdAt: 0, nodeId, firstLsn: 1 };
  segments.append(createSegment(fs, WAL, header));
  const active = new ActiveFile(fs, WAL, { nodeId, droppedLsn: 0, nextFileId: 2, segments: [] });
  active.replace(segments.ordered);
  const context = {
    fs,
    directory: WAL,
    segments,
    active,
    segmentBytesMax: 4096,
    keepsSpaceAhead: true,
    now: () => 0,
    monotonic: () => 0,
    onSync: undefined,
    onFailure: undefined,
    onSegmentClosed: () => {},
  };
  return new LogWriter(context, 0, true);
}

function append(writer: LogWriter): void {
  const length = frameLengthOf(1, 0);
  const at = writer.placeRecords(writer.reserve(length), length);
  const lsn = writer.takeLsn();
  writeFrameHeader(writer.buffer.view, at, OP_SET, lsn, 1, 0);
  writer.appendRecord(at, length, lsn, finishFrame(writer.buffer, at, length));
}

test("a group that has waited for one segment writes nothing to the next before that is begun", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const writer = openWriter(fs);
  // Enough for space to be kept ahead from now on.
  for (let count = 0; count < 20; count++) {
    append(writer);
    writer.sync();
  }
  writer.rotate();
  append(writer);
  const synced = writer.syncPooled();
  writer.rotate();
  fs.beforeChange = (what, path) => {
    if (what !== "write" || !path.endsWith("3.log")) return;
    assert.equal(readActive(fs, WAL)!.segments.at(-1)!.fileId, 3, "ACTIVE names it first");
  };
  await synced;
  assert.equal(writer.lsnDurable, 21);
  await writer.rotated();
  writer.close();
  assert(fs.stat(`${WAL}/0000000003.log`)!.size >= SEGMENT_FRAME_BYTES);
});
