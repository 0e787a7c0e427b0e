/** Feeds whose segment compaction replaces in the midst of a record, or beyond their end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { openInMemory, pattern, until } from "../support/test_store.ts";

test("a feed that is not live shows nothing newer, though compaction puts it in its segment", async () => {
  await using store = await openInMemory();
  for (const key of ["a", "b", "c", "d"]) await store.set(key, "1");
  const feed = store.changes({ since: 0, live: false });
  for (const key of ["c", "d", "e"]) await store.set(key, "2");
  await store.compact();
  const versions: number[] = [];
  for await (const { version } of feed) versions.push(version);
  assert.deepEqual(versions, [1, 2]);
  assert.equal(feed.version, 4);
});

test("a segment that is gone when half of a record was read ahead is read no further", async () => {
  await using store = await openInMemory();
  const bytes = 40_000;
  for (const key of ["a", "b", "c", "c"]) await store.set(key, pattern(bytes));
  const feed = store.changes({ since: 0 });
  assert.equal((await feed.next()).value?.version, 1);
  await store.compact();
  for (const version of [2, 4]) {
    const { value } = await feed.next();
    assert.equal(value?.version, version);
    assert.deepEqual(value?.value, pattern(bytes));
  }
  await feed.return();
});

test("a segment is not closed while a long record of it is read", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  const long = pattern(300_000);
  for (const key of ["a", "a", "b"]) await store.set(key, long);
  const gate = new Gate();
  const feed = store.changes({ since: 1 });
  fs.beforeReadAsync = () => gate.pass();
  const next = feed.next();
  await until("the record is being read", () => gate.waiting === 1);
  fs.beforeReadAsync = () => {}; // Compaction reads, too.
  await store.compact();
  gate.open();
  const { value } = await next;
  assert.equal(value?.version, 2);
  assert.deepEqual(value?.value, long);
  await feed.return();
});
