/** compact: what is alive stays as it is, what is dead goes, and its files with it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { replaceDurably } from "../../lib/fs/durable.ts";
import type { File, OpenMode } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { KvStore } from "../../lib/store/store.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { takeCensus } from "../support/log_census.ts";
import {
  assertExact,
  DURABILITIES,
  logBytes,
  logNames,
  openInMemory,
  PATH,
  pattern,
  scanAll,
  segmentIds,
  text,
  until,
} from "../support/test_store.ts";

for (const [name, durability] of DURABILITIES) {
  const options = { durability, segmentBytesMax: 4096 };

  test(`${name}: every key and value is the same afterwards, and old files are gone`, async () => {
    const fs = new MemoryFileSystem();
    const store = await openInMemory(options, fs);
    for (let i = 0; i < 400; i++) await store.set(`key ${i % 100}`, pattern(100 + i % 50, i));
    for (let i = 0; i < 100; i += 3) await store.delete(`key ${i}`);
    await store.batch([
      { op: "set", key: "x", value: "1" },
      { op: "set", key: "y", value: "2", ttl: 1_000_000_000 },
    ]);
    const entries = await scanAll(store);
    const idsBefore = segmentIds(fs);
    const { aliveBytes } = store.stats();
    const bytesBefore = logBytes(fs);

    const begin = Date.now();
    const result = await store.compact();
    assert.deepEqual(await scanAll(store), entries);
    assert.equal(result.segmentsBefore, idsBefore.length);
    assert.equal(result.recordsMoved, entries.length);
    assert.equal(result.segmentsAfter, store.stats().segments - 1);
    assert(result.bytesReclaimed > 0 && result.durationMs >= 0);
    assert.deepEqual(segmentIds(fs).filter((id) => idsBefore.includes(id)), []);
    for (const file of logNames(fs)) {
      assert.match(file, /^(ACTIVE|NODE_ID|\d{10}\.(log|hint))$/, "nothing is left over");
    }
    const stats = store.stats();
    assert.equal(stats.aliveBytes, aliveBytes);
    assert(logBytes(fs) < bytesBefore / 3);
    assert.equal(stats.compactions, 1);
    assert.deepEqual(stats.lastCompaction, result);
    assert(stats.lastCompactionAt! >= begin && stats.lastCompactionAt! <= Date.now());
    await assertExact(store, fs);
    assert.equal(takeCensus(fs, PATH, Date.now()).deletes, 0);
    assert.deepEqual((await KvStore.verify(PATH, { fileSystem: fs })).problems, []);

    await store.close();
    await using again = await openInMemory(options, fs);
    assert.deepEqual(await scanAll(again), entries);
    assert.equal(again.stats().version, stats.version);
    assert.equal(again.stats().replay.hints, result.segmentsAfter);
    await assertExact(again, fs);
    assert.equal((await again.set("new", "1")).version, stats.version + 1);
  });

  test(`${name}: compacting what is compact already, or empty, does nothing`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory(options, fs);
    assert.equal((await store.compact()).segmentsBefore, 0);
    for (let i = 0; i < 100; i++) await store.set(`${i}`, pattern(200));
    await store.flush();
    await store.compact();
    const before = logNames(fs);
    for (let i = 0; i < 3; i++) {
      const result = await store.compact();
      assert.deepEqual({ ...result, durationMs: 0 }, {
        segmentsBefore: 0,
        segmentsAfter: 0,
        bytesReclaimed: 0,
        recordsMoved: 0,
        durationMs: 0,
      });
    }
    assert.deepEqual(logNames(fs), before);
    assert.equal(store.stats().compactions, 5);
  });

  test(`${name}: with every key deleted, next to nothing remains`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory(options, fs);
    for (let i = 0; i < 200; i++) await store.set(`${i}`, pattern(100));
    for (let i = 0; i < 200; i++) await store.delete(`${i}`);
    await store.compact();
    assert(logBytes(fs) < 200, `${logBytes(fs)} bytes`);
    assert.equal(store.stats().aliveBytes, 0);
    assert.equal(takeCensus(fs, PATH, 0).records, 0);
    assert.equal(store.stats().version, 400, "versions are never used again");
    await store.set("a", "1");
    assert.equal((await store.getEntry("a"))?.version, 401);
    await assertExact(store, fs);
  });

  test(`${name}: the version is kept when all records are gone and the store reopened`, async () => {
    const fs = new MemoryFileSystem();
    {
      await using store = await openInMemory(options, fs);
      await store.set("a", "1");
      await store.delete("a");
      await store.compact();
    }
    await using store = await openInMemory(options, fs);
    assert.equal((await store.set("a", "1")).version, 3);
  });

  test(`${name}: what is written during compaction is kept, and what is read is right`, async () => {
    const base = new MemoryFileSystem();
    const fs = new InterceptingFileSystem(base);
    const gate = new Gate();
    const store = await openInMemory(options, fs);
    for (let i = 0; i < 100; i++) await store.set(`${i}`, `old ${i}`);
    for (let i = 0; i < 100; i += 2) await store.set(`${i}`, `newer ${i}`);
    await store.flush();
    // Hold the fsync of the output's hint: all is copied by then, and nothing replaced yet.
    const newest = Math.max(...segmentIds(base));
    fs.beforeSyncAsync = (path) => {
      const hint = /(\d{10})\.hint\.tmp$/.exec(path);
      return hint !== null && Number(hint[1]) > newest ? gate.pass() : undefined;
    };
    const compaction = store.compact();
    await until("the output is written", () => gate.waiting > 0);
    assert.equal(store.stats().compacting, true);
    for (let i = 0; i < 100; i += 5) await store.set(`${i}`, `newest ${i}`);
    for (let i = 1; i < 100; i += 10) await store.delete(`${i}`);
    await store.set("101", "newest 101");
    await assertExact(store, base);
    gate.open();
    const expected = (i: number) =>
      i % 10 === 1
        ? undefined
        : i % 5 === 0
        ? `newest ${i}`
        : i % 2 === 0
        ? `newer ${i}`
        : `old ${i}`;
    const check = (store: KvStore) => {
      for (let i = 0; i < 100; i++) assert.equal(text(store.getSync(`${i}`)), expected(i));
    };
    check(store);
    await compaction;
    check(store);
    assert.equal(store.stats().compacting, false);
    await assertExact(store, base);
    await store.close();
    await using again = await openInMemory(options, base);
    check(again);
    assert.equal(again.size, 91);
  });

  test(`${name}: several calls at once all end, one after the other`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory(options, fs);
    for (let i = 0; i < 100; i++) await store.set(`${i % 10}`, pattern(100, i));
    const results = await Promise.all([store.compact(), store.compact(), store.compact()]);
    assert(results[0].segmentsBefore > 0);
    assert.equal(results[2].segmentsBefore, 0);
    assert.equal(store.stats().compactions, 3);
    await assertExact(store, fs);
  });

  test(`${name}: closing while compaction runs loses nothing and leaves nothing behind`, async () => {
    const fs = new MemoryFileSystem();
    const store = await openInMemory(options, fs);
    for (let i = 0; i < 300; i++) await store.set(`${i % 150}`, pattern(100, i));
    const compaction = store.compact();
    await store.close();
    await compaction;
    const left = logNames(fs);
    await using again = await openInMemory(options, fs);
    assert.equal(again.size, 150);
    for (let i = 150; i < 300; i++) {
      assert.deepEqual(again.getSync(`${i % 150}`), pattern(100, i));
    }
    for (const name of left.filter((name) => name.endsWith(".hint"))) {
      assert(left.includes(name.replace(".hint", ".log")), `${name} has no segment`);
    }
    assert(!left.some((name) => name.endsWith(".tmp")), String(left));
  });
}

test("a value that is being read when its file is replaced is read to its end", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  const gate = new Gate();
  await using store = await openInMemory({}, fs);
  await store.set("long", pattern(200_000, 1));
  await store.set("dead", "1");
  await store.delete("dead");
  fs.beforeReadAsync = () => gate.pass();
  const reads = [store.get("long"), store.getEntry("long").then((entry) => entry?.value)];
  await until("the reads have begun", () => gate.waiting === 2);
  fs.beforeReadAsync = () => {}; // Compaction reads, too.
  const ids = segmentIds(base);
  await store.compact();
  assert.deepEqual(segmentIds(base).filter((id) => ids.includes(id)), []);
  gate.open();
  for (const read of reads) assert.deepEqual(await read, pattern(200_000, 1));
});

test("verify says nothing against a store that is being compacted", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  let running = true;
  const writer = (async () => {
    for (let round = 0; running; round++) {
      for (let i = 0; i < 50; i++) await store.set(`${i}`, pattern(300, round));
      await store.compact();
    }
  })();
  for (let i = 0; i < 30; i++) {
    assert.deepEqual((await KvStore.verify(PATH, { fileSystem: fs })).problems, []);
  }
  running = false;
  await writer;
});

test("reading beside a compaction: a segment that is gone by now is looked for anew", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let i = 0; i < 100; i++) await store.set(`${i % 30}`, pattern(300, i));
  const before = new MemoryFileSystem();
  before.makeDirectory(`${PATH}/wal`);
  const old = readFile(fs, `${PATH}/wal/ACTIVE`, 1 << 20);
  replaceDurably(before, `${PATH}/wal`, "ACTIVE", old);
  await store.compact();

  /** Shows the ACTIVE of before the compaction to whoever asks first. */
  class LateFileSystem extends InterceptingFileSystem {
    asked = 0;

    override open(path: string, mode: OpenMode): File {
      if (path.endsWith("/ACTIVE") && this.asked++ === 0) return before.open(path, mode);
      return super.open(path, mode);
    }
  }
  const late = new LateFileSystem(fs);
  assert.deepEqual((await KvStore.verify(PATH, { fileSystem: late })).problems, []);
  late.asked = 0;
  await using copy = await openInMemory({ readOnly: true }, late);
  assert.equal(copy.size, 30);
  for (let i = 70; i < 100; i++) assert.deepEqual(copy.getSync(`${i % 30}`), pattern(300, i));
  assert(late.asked > 1);
});
