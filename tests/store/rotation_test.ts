/** Segments: when a new one begins, and what its id is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SYNC_FRAME_BYTES } from "../../lib/format/control_record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { WriteResult } from "../../lib/store/types.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { takeCensus } from "../support/log_census.ts";
import {
  assertExact,
  DURABILITIES,
  LAZY,
  openInMemory,
  PATH,
  pattern,
  segmentIds,
  text,
  until,
} from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

const MAX = 4096;

function lengths(fs: MemoryFileSystem): number[] {
  return segmentIds(fs).map((id) =>
    fs.stat(`${PATH}/wal/${String(id).padStart(10, "0")}.log`)!.size
  );
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: no segment is longer than segmentBytesMax, and each is well filled`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability, segmentBytesMax: MAX }, fs);
    for (let i = 0; i < 200; i++) await store.set(`${i}`, pattern(100 + i % 100, i));
    await store.flush();
    const closed = lengths(fs).slice(0, -1);
    assert(closed.length >= 8);
    // Marks that end a group of writes come on top.
    const most = MAX + 2 * SYNC_FRAME_BYTES;
    for (const length of closed) assert(length <= most && length > MAX - 400, String(closed));
    await assertExact(store, fs);
    for (let i = 0; i < 200; i++) {
      assert.deepEqual(await store.get(`${i}`), pattern(100 + i % 100, i));
    }
  });

  test(`${name}: a record, or a batch, longer than that has a segment of its own`, async () => {
    const fs = new MemoryFileSystem();
    const options = { durability, segmentBytesMax: MAX };
    {
      await using store = await openInMemory(options, fs);
      await store.set("a", "1");
      await store.set("long", pattern(3 * MAX));
      await store.set("b", "2");
      await store.batch([
        { op: "set", key: "c", value: pattern(MAX, 1) },
        { op: "set", key: "d", value: pattern(MAX, 2) },
      ]);
      await store.set("e", "3");
      await store.flush();
      assert.equal(lengths(fs).filter((length) => length > MAX).length, 2);
      assert.equal(store.stats().segments, 5);
      await assertExact(store, fs);
    }
    await using store = await openInMemory(options, fs);
    assert.deepEqual(await store.get("long"), pattern(3 * MAX));
    assert.deepEqual(await store.get("d"), pattern(MAX, 2));
    await store.delete("a");
    await store.compact();
    assert.deepEqual(await store.get("long"), pattern(3 * MAX));
    await assertExact(store, fs);
  });

  test(`${name}: writes in flight while a segment ends`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability, segmentBytesMax: MAX }, fs);
    const writes: Promise<WriteResult>[] = Array.from(
      { length: 100 },
      (_, i) => store.set(`${i}`, pattern(500, i)),
    );
    writes.push(store.delete("0"), store.set("1", "new", { ifVersion: 2 }));
    const results = await Promise.all(writes);
    assert.deepEqual(results.map(({ version }) => version), results.map((_, i) => i + 1));
    assert.equal(store.has("0"), false);
    assert.equal(text(await store.get("1")), "new");
    for (let i = 2; i < 100; i++) assert.deepEqual(store.getSync(`${i}`), pattern(500, i));
    assert(store.stats().segments > 10);
    await assertExact(store, fs);
  });

  test(`${name}: ids are never used again, not over compaction, deletion and reopening`, async () => {
    const fs = new MemoryFileSystem();
    const seen = new Set<number>();
    let newest = 0;
    let live: number[] = [];
    const look = () => {
      const ids = segmentIds(fs);
      for (const id of ids) {
        assert(live.includes(id) || !seen.has(id), `segment ${id} came back`);
        if (!seen.has(id)) assert(id > newest, `segment ${id} after ${newest}`);
      }
      for (const id of ids) seen.add(id);
      newest = Math.max(newest, ...ids);
      live = ids;
    };
    for (let round = 0; round < 6; round++) {
      await using store = await openInMemory({ durability, segmentBytesMax: MAX }, fs);
      look();
      for (let i = 0; i < 30; i++) {
        await store.set(`${i}`, pattern(400, i));
        look();
      }
      if (round % 2 === 0) { for (let i = 0; i < 30; i++) await store.delete(`${i}`); }
      await store.compact();
      look();
    }
    assert(seen.size > 20);
  });

  test(`${name}: compaction keeps to segmentBytesMax as well, expired values included`, async () => {
    const clock = new TestClock();
    const fs = new MemoryFileSystem();
    const options = { durability, segmentBytesMax: MAX, clock };
    await using store = await openInMemory(options, fs);
    // A segment that nothing is to be gained from, but that holds something superseded.
    await store.set("busy", "1");
    for (let i = 0; store.stats().segments === 1; i++) await store.set(`kept ${i}`, pattern(900));
    await store.set("busy", "2");
    for (let i = 0; i < 400; i++) await store.set(`${i} ${"k".repeat(60)}`, "", { ttl: 100 });
    await store.close();
    clock.advance(1000);
    await using again = await openInMemory({
      ...options,
      compaction: { deadRatio: 0.5, totalBytes: 0, deadBytesMin: 1 },
    }, fs);
    await until("it has begun", () => again.stats().compactions > 0);
    await until("it is over", () => !again.stats().compacting);
    assert(takeCensus(fs, PATH, clock.now()).deletes > 300, "they still hide something, perhaps");
    for (const length of lengths(fs)) assert(length <= 2 * MAX, `a segment of ${length} bytes`);
    await assertExact(again, fs, clock.now());
    await again.compact();
    await assertExact(again, fs, clock.now());
    assert.equal(takeCensus(fs, PATH, clock.now()).deletes, 0);
  });
}

test("a segment is durable to its end before the next one is named, and that before it is written", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  // Nothing but the end of a segment makes this durability sync anything.
  await using store = await openInMemory({ durability: LAZY, segmentBytesMax: MAX }, fs);
  fs.calls.length = 0;
  for (let index = 0; store.stats().segments < 2; index++) {
    await store.set(`key ${index}`, pattern(500));
  }
  await store.flush();
  const order = [
    fs.calls.lastIndexOf("write 0000000001.log"),
    fs.calls.lastIndexOf("sync 0000000001.log"),
    fs.calls.indexOf("sync 0000000002.log"),
    fs.calls.indexOf("syncDirectory wal"),
    fs.calls.indexOf("create ACTIVE.tmp"),
    fs.calls.indexOf("sync ACTIVE.tmp"),
    fs.calls.indexOf("rename ACTIVE"),
    fs.calls.indexOf("syncDirectory wal", fs.calls.indexOf("rename ACTIVE")),
    fs.calls.lastIndexOf("write 0000000002.log"),
    fs.calls.lastIndexOf("sync 0000000002.log"),
  ];
  assert(order.every((at) => at >= 0), `${order}`);
  assert.deepEqual(order, order.toSorted((left, right) => left - right), fs.calls.join(", "));
  const header = fs.calls.slice(0, order[8]).filter((call) => call === "write 0000000002.log");
  assert.equal(header.length, 1, "nothing is behind the header before");
});
