/** Compaction by itself: when it starts, and when it does not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import {
  assertExact,
  LAZY,
  logBytes,
  logNames,
  MemoryLogger,
  openInMemory,
  pattern,
  scanKeys,
  turn,
  until,
} from "../support/test_store.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { TestClock } from "../support/test_clock.ts";

const KIB = 1024;

async function idle(store: KvStore): Promise<void> {
  for (let i = 0; i < 20; i++) await turn();
  await until("compaction is over", () => !store.stats().compacting);
  for (let i = 0; i < 20; i++) await turn();
}

test("it starts once more than the dead ratio is dead, and brings the log back below", async () => {
  const fs = new MemoryFileSystem();
  const compaction = { deadRatio: 0.5, deadBytesMin: 16 * KIB };
  const options = { durability: LAZY, segmentBytesMax: 16 * KIB, compaction };
  await using store = await openInMemory(options, fs);
  for (let i = 0; i < 100; i++) await store.set(`${i}`, pattern(KIB, i));
  await idle(store);
  assert.equal(store.stats().compactions, 0, "nothing is dead");
  for (let i = 0; i < 60; i++) await store.set(`${i}`, pattern(KIB, i));
  await idle(store);
  assert.equal(store.stats().compactions, 0, "not half is dead");
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 100; i++) await store.set(`${i}`, pattern(KIB, i + round));
    await idle(store);
    const { deadBytes, totalBytes } = store.stats();
    assert(deadBytes / totalBytes < 0.6, `round ${round}: ${deadBytes} of ${totalBytes} are dead`);
  }
  assert(store.stats().compactions >= 5);
  assert(store.stats().compactions <= 100);
  await assertExact(store, fs);
  assert(logBytes(fs) < 300 * KIB);
});

test("deleting everything gives everything back", async () => {
  const fs = new MemoryFileSystem();
  const compaction = { deadBytesMin: 4 * KIB };
  const options = { durability: LAZY, segmentBytesMax: 16 * KIB, compaction };
  await using store = await openInMemory(options, fs);
  for (let i = 0; i < 200; i++) await store.set(`${i}`, pattern(KIB, i));
  for (let i = 0; i < 200; i++) await store.delete(`${i}`);
  await idle(store);
  assert(logBytes(fs) < 40 * KIB, `${logBytes(fs)} bytes`);
  assert.deepEqual(await scanKeys(store), []);
});

test("a store whose live data exceeds totalBytes does not compact for ever", async () => {
  const fs = new MemoryFileSystem();
  const compaction = { deadRatio: 0.5, totalBytes: 64 * KIB, deadBytesMin: KIB };
  const options = { durability: LAZY, segmentBytesMax: 16 * KIB, compaction };
  await using store = await openInMemory(options, fs);
  for (let i = 0; i < 300; i++) await store.set(`${i}`, pattern(KIB, i));
  await idle(store);
  assert.equal(store.stats().compactions, 0, "there is nothing to reclaim");
  // A tenth of every segment is dead: above totalBytes, but no segment is worth rewriting.
  for (let i = 0; i < 300; i += 10) await store.set(`${i}`, pattern(KIB, i));
  await idle(store);
  const { compactions } = store.stats();
  assert(compactions <= 2, `${compactions} compactions`);
  for (let i = 0; i < 100; i++) await store.set(`new ${i}`, pattern(KIB, i));
  await idle(store);
  assert(store.stats().compactions <= compactions + 2, `${store.stats().compactions} compactions`);
});

test("above totalBytes, a segment that is mostly dead is rewritten, and the others are not", async () => {
  const fs = new MemoryFileSystem();
  const compaction = { deadRatio: 0.5, totalBytes: 64 * KIB, deadBytesMin: KIB };
  const options = { durability: LAZY, segmentBytesMax: 16 * KIB, compaction };
  await using store = await openInMemory(options, fs);
  for (let i = 0; i < 300; i++) await store.set(`${i}`, pattern(KIB, i));
  const { totalBytes } = store.stats();
  for (let i = 0; i < 14; i++) await store.delete(`${i}`);
  for (let i = 0; i < 10; i++) await store.set(`new ${i}`, pattern(KIB, i));
  await idle(store);
  assert(store.stats().compactions >= 1);
  assert(store.stats().totalBytes < totalBytes, "the first segment is gone");
  assert((store.stats().lastCompaction?.segmentsBefore ?? 0) <= 2);
  await assertExact(store, fs);
});

test("tombstones that still hide something are not rewritten again and again", async () => {
  const fs = new MemoryFileSystem();
  const compaction = { deadRatio: 0.5, totalBytes: 16 * KIB, deadBytesMin: 1 };
  const options = { durability: LAZY, segmentBytesMax: 32 * KIB, compaction };
  await using store = await openInMemory(options, fs);
  const key = (i: number) => `${i} `.padEnd(900, "k");
  for (let i = 0; i < 400; i++) await store.set(key(i), pattern(3 * KIB, i));
  // Each hides a value in a segment that is far from being half dead; together they fill segments.
  for (let i = 0; i < 400; i += 8) await store.delete(key(i));
  for (let i = 0; i < 100; i++) {
    await store.set(`new ${i}`, pattern(KIB, i));
    if (i % 10 === 0) await idle(store);
  }
  assert.equal(store.stats().compactions, 0);
  // Nor after reopening, when the figures of closed segments come from their hints.
  const closed = store.stats().segments - 1;
  const hints = () => logNames(fs).filter((name) => name.endsWith(".hint")).length;
  await until("every closed segment has its hint", () => hints() === closed);
  await store.close();
  await using again = await openInMemory(options, fs);
  assert.equal(again.stats().replay.hints, closed);
  for (let i = 0; i < 20; i++) await again.set(`newer ${i}`, pattern(KIB, i));
  await idle(again);
  assert.equal(again.stats().compactions, 0);
});

test("what dies while compaction runs is compacted next, though nothing more is written", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  const gate = new Gate();
  const compaction = { deadBytesMin: 4 * KIB };
  const options = { durability: LAZY, segmentBytesMax: 16 * KIB, compaction };
  await using store = await openInMemory(options, fs);
  for (let i = 0; i < 200; i++) await store.set(`${i}`, pattern(KIB, i));
  await idle(store);
  fs.beforeSyncAsync = (path) => path.endsWith(".hint.tmp") ? gate.pass() : undefined;
  for (let i = 0; i < 120; i++) await store.delete(`${i + (i % 2) * 80}`).catch(() => {});
  await until("compaction is on its way", () => gate.waiting > 0 && store.stats().compacting);
  for (let i = 0; i < 200; i++) await store.delete(`${i}`).catch(() => {});
  assert.equal(store.stats().compactions, 0);
  gate.open();
  await idle(store);
  assert.equal(store.size, 0);
  assert(logBytes(base) < 12 * KIB, `${logBytes(base)} bytes`);
});

test("auto: false leaves everything to compact()", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096, durability: LAZY }, fs);
  for (let i = 0; i < 500; i++) await store.set("k", pattern(KIB, i));
  await idle(store);
  assert.equal(store.stats().compactions, 0);
  assert(store.stats().segments > 50);
});

test("expired keys are reason enough", async () => {
  const clock = new TestClock();
  const fs = new MemoryFileSystem();
  const compaction = { deadBytesMin: KIB };
  const options = { durability: LAZY, segmentBytesMax: 16 * KIB, compaction, clock };
  await using store = await openInMemory(options, fs);
  for (let i = 0; i < 100; i++) await store.set(`${i}`, pattern(KIB, i), { ttl: 1000 });
  await idle(store);
  assert.equal(store.stats().compactions, 0);
  clock.advance(2000);
  await idle(store);
  assert(store.stats().compactions > 0);
  assert(logBytes(fs) < 40 * KIB);
});

test("a store that is mostly dead when it is opened is compacted then", async () => {
  const fs = new MemoryFileSystem();
  const options = { durability: LAZY, segmentBytesMax: 16 * KIB };
  {
    await using store = await openInMemory(options, fs);
    for (let i = 0; i < 300; i++) await store.set(`${i % 10}`, pattern(KIB, i));
  }
  await using store = await openInMemory({ ...options, compaction: { deadBytesMin: KIB } }, fs);
  await until("it is compacted", () => store.stats().compactions > 0);
  await idle(store);
  assert(logBytes(fs) < 60 * KIB);
  for (let i = 290; i < 300; i++) {
    assert.deepEqual(store.getSync(`${i % 10}`), pattern(KIB, i));
  }
});

test("a compaction that fails is logged, leaves all as it was, and is tried again later", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  const clock = new TestClock();
  const logger = new MemoryLogger();
  const compaction = { deadBytesMin: KIB };
  const options = { durability: LAZY, segmentBytesMax: 16 * KIB, compaction, clock, logger };
  await using store = await openInMemory(options, fs);
  for (let i = 0; i < 20; i++) await store.set(`${i}`, pattern(KIB, i));
  fs.beforeChange = (what, path) => {
    if (what === "create" && path.endsWith(".hint.tmp")) throw new Error("no more files");
  };
  // Keys 15 to 19 stay as they are, so that there is something to copy.
  for (let i = 0; i < 60; i++) await store.set(`${i % 15}`, pattern(KIB, i));
  await until(
    "it has failed",
    () => logger.troubles.some((each) => /Compaction failed/.test(each)),
  );
  assert.equal(store.stats().compactions, 0);
  await assertExact(store, base, clock.now());
  await idle(store);
  fs.beforeChange = () => {};
  await idle(store);
  assert.equal(store.stats().compactions, 0, "nothing is tried at once");
  clock.advance(60_000);
  await until("it is compacted", () => store.stats().compactions > 0);
  await idle(store);
  for (let i = 45; i < 60; i++) assert.deepEqual(store.getSync(`${i % 15}`), pattern(KIB, i));
  for (let i = 15; i < 20; i++) assert.deepEqual(store.getSync(`${i}`), pattern(KIB, i));
  await assertExact(store, base, clock.now());
});

test("a long value that is not yet durable is not taken for dead", async () => {
  const fs = new MemoryFileSystem();
  const options = { compaction: { deadBytesMin: 64 * KIB, deadRatio: 0.5 } };
  await using store = await openInMemory(options, fs);
  await store.set("short", "value");
  for (let round = 0; round < 5; round++) await store.set(`long ${round}`, pattern(512 * KIB));
  const together = ["a", "b", "c"].map((key) => store.set(key, pattern(256 * KIB)));
  await Promise.all(together);
  await idle(store);
  assert.equal(store.stats().compactions, 0);
  for (let round = 0; round < 5; round++) await store.set(`long ${round}`, "gone");
  await until("what did die is compacted", () => store.stats().compactions > 0);
});
