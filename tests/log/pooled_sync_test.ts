/** Fsyncs through the thread pool, one at a time, and none after one that failed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { PooledSync } from "../../lib/log/pooled_sync.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";

/** A file, and how its fsyncs are held up and counted. */
function withFile(): { fs: InterceptingFileSystem; path: string } {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  fs.makeDirectory("/log");
  const path = "/log/file";
  fs.open(path, "create").close();
  return { fs, path };
}

test("who waits for an fsync that fails is told, and none is tried after it", async () => {
  const { fs, path } = withFile();
  const pooled = new PooledSync(fs, path);
  using gate = new Gate();
  let syncs = 0;
  fs.beforeSyncAsync = async () => {
    syncs++;
    await gate.pass();
    throw new Error("the disk is gone");
  };
  const outcomes = Promise.allSettled([pooled.sync(), pooled.sync(), pooled.sync()]);
  gate.open();
  for (const { status } of await outcomes) assert.equal(status, "rejected");
  await assert.rejects(pooled.sync(), /the disk is gone/);
  await pooled.idle();
  assert.equal(syncs, 1);
  pooled.close();
});

test("one fsync at a time, and what was asked for while one ran gets its own", async () => {
  const { fs, path } = withFile();
  const pooled = new PooledSync(fs, path);
  using gate = new Gate();
  let running = 0;
  let syncs = 0;
  fs.beforeSyncAsync = async () => {
    syncs++;
    assert.equal(++running, 1);
    await gate.pass();
    running--;
  };
  const both = Promise.all([pooled.sync(), pooled.sync()]);
  assert.equal(syncs, 1);
  gate.open();
  await both;
  assert.equal(syncs, 2);
  pooled.close();
});
