/** Whoever waits for a disk that fails is told so, and nothing is called durable on its account. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { LAZY, openInMemory, until } from "../support/test_store.ts";

const fail = (path: string): never => {
  throw ioError("sync", path, new SystemError("EIO", "input/output error"));
};

test("immediate: flushSync tells of an earlier failure, though nothing is in flight", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  fs.beforeSync = fail;
  fs.beforeSyncAsync = fail;
  await failsWith("Io", /input.output/, () => store.set("a", "1"));
  await failsWith("Io", /takes no more writes/, () => store.flushSync());
});

test("batched: a write that waits for an fsync is refused when it fails", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const store = await openInMemory({ durability: { bytes: 4096, millis: 3_600_000 } }, fs);
  using gate = new Gate();
  fs.beforeSyncAsync = async (path) => {
    await gate.pass();
    fail(path);
  };
  await store.set("a", new Uint8Array(5000));
  await until("an fsync has begun", () => gate.waiting === 1);
  const waiting = store.set("b", new Uint8Array(5000));
  gate.open();
  await failsWith("Io", /input.output/, () => waiting);
  await failsWith("Io", /input.output/, () => store.close());
});

test("batched: an fsync that succeeds beside one that failed makes nothing durable", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const store = await openInMemory({ durability: LAZY }, fs);
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  await store.set("a", "1");
  const flushed = failsWith("Io", /takes no more writes/, () => store.flush());
  await until("an fsync has begun", () => gate.waiting === 1);
  fs.beforeSync = fail;
  await store.set("b", "2");
  await failsWith("Io", /input.output/, () => store.flushSync());
  gate.open();
  await flushed;
  assert.equal(store.stats().durableVersion, 0);
  await failsWith("Io", /input.output/, () => store.close());
});
