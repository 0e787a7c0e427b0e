/** What ACTIVE says about deletes and ends that compaction has dropped: whoever follows must know. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readActive } from "../../lib/log/active_file.ts";
import { TestClock } from "../support/test_clock.ts";
import { openInMemory, PATH } from "../support/test_store.ts";

const droppedLsn = (fs: MemoryFileSystem) => readActive(fs, `${PATH}/wal`)!.droppedLsn;

test("the newest delete that was dropped is noted, and stays so", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await store.set("a", "1");
  await store.set("b", "1");
  const { version } = await store.delete("a");
  await store.compact();
  assert.equal(droppedLsn(fs), version);
  await store.set("b", "2");
  await store.compact();
  assert.equal(droppedLsn(fs), version, "a compaction that drops no delete takes nothing back");
});

test("the newest expired record that was dropped is noted", async () => {
  const fs = new MemoryFileSystem();
  const clock = new TestClock();
  await using store = await openInMemory({ clock }, fs);
  await store.set("b", "1");
  const { version } = await store.set("a", "1", { ttl: 1000 });
  clock.advance(2000);
  assert.equal(store.size, 1);
  await store.compact();
  assert.equal(droppedLsn(fs), version);
});
