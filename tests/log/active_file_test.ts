import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { ActiveFile, readActive } from "../../lib/log/active_file.ts";
import { createSegment } from "../../lib/log/segment_file.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";

const WAL = "/wal";

function setUp() {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  fs.makeDirectory(WAL);
  const nodeId = new Uint8Array(16).fill(7);
  const header = { fileId: 4, compacted: false, createdAt: 0, nodeId, firstLsn: 1 };
  const segments = [createSegment(fs, WAL, header)];
  const state = { nodeId, droppedLsn: 0, nextFileId: 5, segments: [] };
  return { fs, segments, active: new ActiveFile(fs, WAL, state) };
}

test("an id that is taken while ACTIVE is replaced is not given again", async () => {
  const { fs, segments, active } = setUp();
  const gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const replaced = active.replaceAsync(segments, () => true);
  assert.equal(active.takeFileId(), 5);
  gate.open();
  await replaced;
  assert.equal(active.takeFileId(), 6);
  assert.equal(readActive(fs, WAL)?.nextFileId, 5);
});

test("a replacement that is not wanted any more changes nothing", async () => {
  const { fs, segments, active } = setUp();
  const gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  let isWanted = true;
  const replaced = active.replaceAsync(segments, () => isWanted);
  active.takeFileId();
  isWanted = false;
  active.replace(segments);
  gate.open();
  await replaced;
  assert.equal(readActive(fs, WAL)?.nextFileId, 6);
  assert.deepEqual(fs.readDirectory(WAL), ["0000000004.log", "ACTIVE"]);
});
