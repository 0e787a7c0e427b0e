/** What the marks in a log say, held against the frames around them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeSyncMark } from "../../lib/format/control_record.ts";
import { isDataOp, OP_SYNC } from "../../lib/format/record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { findDurableOffset } from "../../lib/log/recovery.ts";
import { SegmentReader } from "../../lib/log/segment_reader.ts";
import { memoryFile } from "../support/memory_file.ts";
import { SegmentBuilder } from "../support/segment_builder.ts";
import { openInMemory, PATH } from "../support/test_store.ts";

test("a mark calls durable what is before it, and names the newest version of that", async () => {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({}, fs);
  for (let round = 0; round < 5; round++) {
    await Promise.all([store.set("a", "1"), store.set("b", "2"), store.set("c", "3")]);
  }
  await store.close();
  const file = fs.open(`${PATH}/wal/0000000001.log`, "read");
  const reader = new SegmentReader(file, 0, file.size());
  const ends: { end: number; lsn: number }[] = [];
  let marks = 0;
  while (reader.next()) {
    const { op, lsn, frameLength } = reader.header;
    if (isDataOp(op)) ends.push({ end: reader.offset + frameLength, lsn });
    if (op !== OP_SYNC) continue;
    const mark = decodeSyncMark(reader.buffer.view, reader.at, lsn);
    assert(mark.durableOffset <= reader.offset);
    const newest = ends.findLast(({ end }) => end <= mark.durableOffset);
    assert.equal(mark.durableLsn, newest?.lsn ?? 0);
    marks++;
  }
  assert(marks >= 4);
});

test("a mark that calls itself durable, or what is behind it, does not count", () => {
  const start = new SegmentBuilder().record("a");
  const at = start.length;
  const { bytes } = start.mark({ durableOffset: at + 1 });
  assert.equal(findDurableOffset(memoryFile(bytes), 1, 0, bytes.length), 0);
});
