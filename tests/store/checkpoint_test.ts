/** The checkpoint of the index: when it is written, when it is used, and that it changes nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { fromImage, takeImage, withFile } from "../support/disk_image.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { problemsOf } from "../support/store_outcome.ts";
import { TestClock } from "../support/test_clock.ts";
import { assertExact, logNames, openInMemory, PATH, scanAll, text } from "../support/test_store.ts";

const ALWAYS: OpenOptions = { checkpointRecordsMin: 0 };
const NAME = "CHECKPOINT";

/** Closes a store and opens it anew, with another checkpoint if there were changes. */
async function reopen(
  store: KvStore,
  fs: MemoryFileSystem,
  options: OpenOptions = ALWAYS,
): Promise<KvStore> {
  await store.close();
  return await openInMemory(options, fs);
}

async function contents(store: KvStore): Promise<[string, string, number, number | undefined][]> {
  return (await scanAll(store)).map(({ key, value, version, expiresAt }) => {
    return [key, text(value)!, version, expiresAt];
  });
}

test("a store that was closed with a checkpoint opens from it, as the same store", async () => {
  const fs = new MemoryFileSystem();
  let store = await openInMemory({ ...ALWAYS, segmentBytesMax: 4096 }, fs);
  for (let i = 0; i < 300; i++) await store.set(`key ${i % 200}`, `value ${i}`);
  await store.set("brief", "x", { ttl: 3_600_000 });
  for (let i = 0; i < 200; i += 3) await store.delete(`key ${i}`);
  const before = await contents(store);
  const { keys, version, aliveBytes, deadBytes, segments } = store.stats();
  store = await reopen(store, fs);
  assert.deepEqual(await contents(store), before);
  const after = store.stats();
  assert.equal(after.replay.checkpointKeys, keys);
  assert.equal(after.replay.records, 0, "nothing is read twice");
  assert.deepEqual(
    [after.keys, after.version, after.aliveBytes, after.segments],
    [keys, version, aliveBytes, segments],
  );
  // The mark at the end of the log.
  assert.ok(after.deadBytes - deadBytes < 100);
  await assertExact(store, fs);
  await store.set("key 1", "new");
  assert.equal(text(await store.get("key 1")), "new");
  await store.close();
  assert.deepEqual(await problemsOf(takeImage(fs)), []);
});

test("what was written since a checkpoint is replayed on top of it", async () => {
  const fs = new MemoryFileSystem();
  let store = await openInMemory({ ...ALWAYS, segmentBytesMax: 4096 }, fs);
  for (let i = 0; i < 100; i++) await store.set(`key ${i}`, "first");
  await store.close();
  const checkpoint = takeImage(fs).get(NAME)!;
  // Further openings that do not replace it: the last segment it covers goes on, and is closed.
  const never = { checkpointRecordsMin: 1_000_000, segmentBytesMax: 4096 };
  for (let round = 0; round < 4; round++) {
    store = await openInMemory(never, fs);
    assert.equal(store.stats().replay.checkpointKeys, 100);
    assert.equal(store.size, 100 - round + round * 30);
    await store.delete(`key ${round * 7}`);
    for (let i = 0; i < 30; i++) await store.set(`later ${round} ${i}`, "x".repeat(60));
    for (let i = 50; i < 60; i++) await store.set(`key ${i}`, `round ${round}`);
    await store.close();
    assert.deepEqual(takeImage(fs).get(NAME), checkpoint, "it was left as it is");
    assert.deepEqual(await problemsOf(takeImage(fs)), []);
  }
  const image = takeImage(fs);
  assert.ok([...image.keys()].filter((name) => name.endsWith(".log")).length > 3);
  const scanned = await openInMemory(never, fromImage(withFile(image, NAME, undefined)));
  store = await openInMemory(never, fs);
  assert.equal(scanned.stats().replay.checkpointKeys, 0);
  assert.deepEqual(await contents(store), await contents(scanned));
  assert.equal(store.stats().aliveBytes, scanned.stats().aliveBytes);
  assert.equal(store.stats().deadBytes, scanned.stats().deadBytes);
  await assertExact(store, fs);
  await store.close();
  await scanned.close();
});

test("it is written when opening would replay much, and otherwise left alone", async () => {
  const fs = new MemoryFileSystem();
  const hasOne = () => logNames(fs).includes(NAME);
  let store = await openInMemory({ checkpointRecordsMin: 100 }, fs);
  for (let i = 0; i < 100; i++) await store.set(`key ${i}`, "x");
  store = await reopen(store, fs, { checkpointRecordsMin: 100 });
  assert.equal(hasOne(), false, "a hundred records are no more than a hundred");
  await store.set("key 100", "x");
  store = await reopen(store, fs, { checkpointRecordsMin: 100 });
  assert.equal(hasOne(), true);
  const first = takeImage(fs).get(NAME)!;
  // Records before this opening and since count together.
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 50; i++) await store.set("key 1", `${round} ${i}`);
    store = await reopen(store, fs, { checkpointRecordsMin: 100 });
  }
  assert.deepEqual(takeImage(fs).get(NAME), first);
  assert.equal(store.stats().replay.records, 100);
  await store.set("key 1", "once more");
  store = await reopen(store, fs, { checkpointRecordsMin: 100 });
  assert.notDeepEqual(takeImage(fs).get(NAME), first);
  assert.equal(store.stats().replay.records, 0);
  await store.close();
});

test("a sixteenth of the keys may be replayed in any case", async () => {
  const fs = new MemoryFileSystem();
  let store = await openInMemory(ALWAYS, fs);
  for (let i = 0; i < 160; i++) await store.set(`key ${i}`, "x");
  store = await reopen(store, fs);
  const first = takeImage(fs).get(NAME)!;
  for (let i = 0; i < 10; i++) await store.set("key 1", `${i}`);
  store = await reopen(store, fs);
  assert.deepEqual(takeImage(fs).get(NAME), first);
  await store.set("key 1", "once more");
  await store.close();
  assert.notDeepEqual(takeImage(fs).get(NAME), first);
});

test("one that compaction has overtaken is not used, and removed", async () => {
  const fs = new MemoryFileSystem();
  let store = await openInMemory({ ...ALWAYS, segmentBytesMax: 4096 }, fs);
  for (let i = 0; i < 300; i++) await store.set(`key ${i % 20}`, `value ${i}`);
  const never = { checkpointRecordsMin: 1000 };
  store = await reopen(store, fs, never);
  assert.equal(store.stats().replay.checkpointKeys, 20);
  await store.compact();
  const overtaken = takeImage(fs);
  assert.deepEqual(await problemsOf(overtaken), [], "and no problem");
  store = await reopen(store, fs, never);
  assert.equal(logNames(fs).includes(NAME), false, "removed at closing");
  assert.equal(store.stats().replay.checkpointKeys, 0);
  assert.equal(store.size, 20);
  await store.close();
  // As after a crash.
  const crashed = fromImage(overtaken);
  const again = await openInMemory(never, crashed);
  assert.equal(again.stats().replay.checkpointKeys, 0);
  assert.equal(again.size, 20);
  assert.equal(logNames(crashed).includes(NAME), false, "removed at opening");
  await again.close();
});

test("after a compaction, whose new segment is still empty, all others are covered", async () => {
  const fs = new MemoryFileSystem();
  let store = await openInMemory({ ...ALWAYS, segmentBytesMax: 4096 }, fs);
  for (let i = 0; i < 300; i++) await store.set(`key ${i % 20}`, `value ${i}`);
  await store.compact();
  store = await reopen(store, fs);
  assert.equal(store.stats().replay.checkpointKeys, 20);
  assert.equal(store.stats().replay.records, 0);
  await store.set("key 3", "new");
  store = await reopen(store, fs, { checkpointRecordsMin: 1000 });
  assert.equal(store.stats().replay.checkpointKeys, 20);
  assert.equal(store.stats().replay.records, 1);
  assert.equal(text(await store.get("key 3")), "new");
  await store.close();
});

test("one that cannot be written is no reason to fail, and leaves nothing", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  for (let failing = 0;; failing++) {
    const store = await openInMemory(ALWAYS, fs);
    for (let i = 0; i < 20; i++) await store.set(`key ${i}`, `${failing}`);
    let count = 0;
    let failed = false;
    fs.fail = ({ name }) => {
      if (!name.startsWith(NAME) || count++ !== failing) return undefined;
      failed = true;
      return "ENOSPC";
    };
    await store.close();
    fs.heal();
    const again = await openInMemory({}, fs);
    assert.equal(again.size, 20);
    assert.equal(text(await again.get("key 7")), `${failing}`);
    assert.ok(logNames(fs).every((name) => !name.endsWith(".tmp")));
    await again.close();
    if (!failed) return assert.ok(failing > 8, `${failing} calls`);
  }
});

test("keys that expire do so after opening from a checkpoint, and at once if it is late", async () => {
  const fs = new MemoryFileSystem();
  const clock = new TestClock();
  let store = await openInMemory({ ...ALWAYS, clock }, fs);
  await store.set("soon", "1", { ttl: 1000 });
  await store.set("later", "2", { ttl: 100_000 });
  await store.set("never", "3");
  await store.close();
  clock.advance(2000);
  store = await openInMemory({ ...ALWAYS, clock }, fs);
  assert.equal(store.stats().replay.checkpointKeys, 3);
  assert.equal(await store.get("soon"), undefined);
  assert.equal(text(await store.get("later")), "2");
  assert.deepEqual((await contents(store)).map(([key]) => key), ["later", "never"]);
  clock.advance(200_000);
  assert.equal(await store.get("later"), undefined);
  assert.equal(store.size, 1);
  await store.close();
});

test("readOnly uses it and touches nothing", async () => {
  const fs = new MemoryFileSystem();
  const store = await openInMemory(ALWAYS, fs);
  for (let i = 0; i < 50; i++) await store.set(`key ${i}`, "x");
  await store.close();
  const image = takeImage(fs);
  const reader = await openInMemory({ readOnly: true, ...ALWAYS }, fs);
  assert.equal(reader.stats().replay.checkpointKeys, 50);
  assert.equal(reader.size, 50);
  await reader.close();
  assert.deepEqual(takeImage(fs), image);
});

test("a backup leaves it out", async () => {
  const fs = new MemoryFileSystem();
  let store = await openInMemory(ALWAYS, fs);
  for (let i = 0; i < 50; i++) await store.set(`key ${i}`, "x");
  store = await reopen(store, fs);
  await store.backup("/copy");
  await store.close();
  assert.deepEqual(fs.readDirectory("/copy/wal").includes(NAME), false);
  await KvStore.restore("/copy", "/restored", { fileSystem: fs });
  const restored = await KvStore.open("/restored", { fileSystem: fs });
  assert.equal(restored.size, 50);
  await restored.close();
  assert.ok(logNames(fs, PATH).includes(NAME));
});
