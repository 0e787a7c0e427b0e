/** When a write can be seen, and how many of them share an fsync. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { LAZY, openInMemory, scanKeys, text, turn, until } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

test("immediate: nothing is visible or acknowledged before its fsync has returned", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  using gate = new Gate();
  await store.set("a", "old");
  await store.set("c", "old");
  fs.beforeSyncAsync = () => gate.pass();
  let acknowledged = 0;
  const writes = [
    store.set("a", "new"),
    store.set("b", "new"),
    store.delete("c"),
    store.batch([{ op: "set", key: "d", value: "1" }, { op: "set", key: "e", value: "1" }]),
  ];
  for (const write of writes) write.then(() => acknowledged++);
  await until("the fsync has begun", () => gate.waiting > 0);
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(acknowledged, 0);
  assert.equal(text(await store.get("a")), "old");
  assert.equal(text(store.getSync("a")), "old");
  assert.equal((await store.getEntry("a"))?.version, 1);
  assert.equal(store.has("b"), false);
  assert.equal(text(await store.get("c")), "old");
  assert.deepEqual(await scanKeys(store), ["a", "c"]);
  assert.equal(store.size, 2);
  assert.equal(store.stats().version, 2);
  assert.equal(store.stats().durableVersion, 2);
  assert.equal(store.stats().writesInFlight, 5);
  gate.open();
  await Promise.all(writes);
  assert.equal(text(await store.get("a")), "new");
  assert.deepEqual(await scanKeys(store), ["a", "b", "d", "e"]);
  assert.equal(store.stats().version, 7);
});

test("immediate: nor during a blocking fsync", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  const seen: [value: string | undefined, version: number][] = [];
  fs.beforeSync = () => seen.push([text(store.getSync("a")), store.stats().version]);
  store.setSync("a", "1");
  assert.equal(text(store.getSync("a")), "1");
  // A single asynchronous write may use a blocking fsync as well.
  await store.delete("a");
  assert.equal(store.getSync("a"), undefined);
  assert.deepEqual(seen, [[undefined, 0], ["1", 1]]);
  fs.beforeSync = () => {};
});

test("batched: a write is visible at once, and acknowledged without an fsync", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({ durability: LAZY }, fs);
  let syncs = 0;
  fs.beforeSync = () => void syncs++;
  fs.beforeSyncAsync = () => void syncs++;
  const write = store.set("a", "1");
  assert.equal(text(store.getSync("a")), "1");
  const batch = store.batch([{ op: "set", key: "b", value: "2" }, { op: "del", key: "a" }]);
  assert.equal(store.has("a"), false);
  assert.equal(text(store.getSync("b")), "2");
  assert.deepEqual(await scanKeys(store), ["b"]);
  await Promise.all([write, batch]);
  assert.equal(syncs, 0);
  assert.equal(store.stats().durableVersion, 0);
  await store.flush();
  assert.equal(syncs, 1);
  assert.equal(store.stats().durableVersion, 3);
});

test("batched: an fsync follows after so many milliseconds, and none without news", async () => {
  const clock = new TestClock();
  await using store = await openInMemory({ durability: { bytes: 1 << 20, millis: 50 }, clock });
  const { syncs } = store.stats();
  await store.set("a", "1");
  clock.advance(49);
  await turn();
  assert.equal(store.stats().syncs, syncs);
  clock.advance(1);
  await until("the write is durable", () => store.stats().durableVersion === 1);
  assert.equal(store.stats().syncs, syncs + 1);
  clock.advance(10_000);
  await turn();
  assert.equal(store.stats().syncs, syncs + 1);
});

test("batched: an fsync follows after so many bytes, and holds writers back if it is slow", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory(
    { durability: { bytes: 4096, millis: 3_600_000 }, clock: new TestClock() },
    fs,
  );
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const value = new Uint8Array(1000);
  for (let i = 0; i < 4; i++) await store.set(`a${i}`, value);
  await until("an fsync has begun", () => gate.waiting === 1);
  for (let i = 0; i < 3; i++) await store.set(`b${i}`, value);
  let acknowledged = false;
  const last = store.set("b3", value).then(() => acknowledged = true);
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(acknowledged, false, "twice `bytes` wait for the disk: that is enough");
  assert.equal(store.has("b3"), true);
  gate.open();
  await last;
  await until("all is durable", () => store.stats().durableVersion === 8);
});

test("batched: what was written while an fsync ran is not taken for durable with it", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory(
    { durability: { bytes: 4096, millis: 3_600_000 }, clock: new TestClock() },
    fs,
  );
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  await store.set("a", new Uint8Array(5000));
  await until("an fsync has begun", () => gate.waiting === 1);
  await store.set("b", new Uint8Array(3000));
  const third = store.set("c", new Uint8Array(3000));
  gate.open();
  gate.close();
  await third;
  await until("the next fsync has begun", () => gate.waiting === 1);
  let acknowledged = false;
  const fourth = store.set("d", new Uint8Array(3000)).then(() => acknowledged = true);
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(acknowledged, false, "the first fsync covered nothing but the first write");
  gate.open();
  await fourth;
});

test("64 sets at once share a few fsyncs", async () => {
  await using store = await openInMemory();
  const before = store.stats().syncs;
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      Array.from({ length: 64 }, (_, i) => store.set(`k${i}`, `v${round}`)),
    );
  }
  const syncs = store.stats().syncs - before;
  assert(syncs <= 20, `${syncs} fsyncs for 640 sets`);
  assert(syncs >= 10, `${syncs} fsyncs for 10 rounds that wait for each other`);
});

test("64 writers who each wait for their own sets share fsyncs too", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  // An fsync that takes a while, so that writes gather behind it.
  fs.beforeSyncAsync = () => new Promise((resolve) => setTimeout(resolve, 1));
  await using store = await openInMemory({}, fs);
  const before = store.stats().syncs;
  const writer = async (id: number) => {
    for (let i = 0; i < 20; i++) await store.set(`w${id}`, `${i}`);
  };
  await Promise.all(Array.from({ length: 64 }, (_, id) => writer(id)));
  const syncs = store.stats().syncs - before;
  assert(syncs <= 60, `${syncs} fsyncs for 1280 sets by 64 writers`);
});

test("sets one at a time have an fsync each", async () => {
  await using store = await openInMemory();
  const before = store.stats().syncs;
  for (let i = 0; i < 10; i++) await store.set("a", `${i}`);
  assert.equal(store.stats().syncs - before, 10);
});

test("after a failed fsync writes are refused, reads go on, and nothing is tried again", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  {
    await using store = await openInMemory({}, fs);
    await store.set("a", "1");
    let attempts = 0;
    fs.beforeSyncAsync = fs.beforeSync = () => {
      attempts++;
      throw new Error("the disk is gone");
    };
    const writes = await Promise.allSettled([store.set("a", "2"), store.set("b", "2")]);
    assert.deepEqual(writes.map(({ status }) => status), ["rejected", "rejected"]);
    await failsWith("Io", /takes no more writes.*reopen/, () => store.set("a", "3"));
    await failsWith("Io", /takes no more writes/, () => store.setSync("a", "3"));
    await failsWith("Io", /takes no more writes/, () => store.flush());
    await failsWith("Io", /takes no more writes/, () => store.flushSync());
    assert.equal(text(await store.get("a")), "1");
    assert.deepEqual(await scanKeys(store), ["a"]);
    assert.equal(attempts, 1);
    fs.beforeSyncAsync = fs.beforeSync = () => {};
    await failsWith("Io", /takes no more writes/, () => store.set("a", "3"));
  }
  await using store = await openInMemory({}, base);
  assert.equal(store.has("a"), true);
  await store.set("a", "4");
  assert.equal(text(await store.get("a")), "4");
});
