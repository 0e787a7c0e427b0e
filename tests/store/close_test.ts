/** Closing: what is in flight is finished, and nothing that stands in the way of it is hidden. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { openInMemory, text } from "../support/test_store.ts";

test("closing beside an fsync that blocking writes have overtaken", async () => {
  const memory = new MemoryFileSystem();
  const disk = new InterceptingFileSystem(memory);
  const store = await openInMemory({}, disk);
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  let isHeld = false;
  disk.beforeSyncAsync = () => {
    isHeld = true;
    return held;
  };
  const first = store.set("a", "1");
  const second = store.set("b", "2");
  while (!isHeld) await new Promise((resolve) => void setImmediate(resolve));
  store.setSync("c", "3");
  await Promise.all([first, second]);
  await store.close();
  release();
  await new Promise((resolve) => void setImmediate(resolve));
  const again = await openInMemory({}, memory);
  assert.deepEqual([text(again.getSync("a")), text(again.getSync("c"))], ["1", "3"]);
  await again.close();
});

test("a full disk does not keep a store from closing when everything is durable", async () => {
  const memory = new MemoryFileSystem();
  const disk = new InterceptingFileSystem(memory);
  const store = await openInMemory({}, disk);
  await store.set("a", "1");
  disk.beforeChange = (what, path) => {
    if (what !== "create" || !path.endsWith("ACTIVE.tmp")) return;
    throw ioError("create", path, new SystemError("ENOSPC", "no space left on device"));
  };
  await store.close();
  const again = await openInMemory({}, memory);
  assert.equal(text(again.getSync("a")), "1");
  await again.close();
});
