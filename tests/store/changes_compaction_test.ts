/** Feeds and compaction: nothing is missed without a word, and what is promised to be kept is kept. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvError } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { Change } from "../../lib/store/types.ts";
import { droppedLsn, takeAll } from "../support/change_follower.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith, throwsAtOnce } from "../support/kv_error.ts";
import { takeCensus } from "../support/log_census.ts";
import { TestClock } from "../support/test_clock.ts";
import {
  assertExact,
  DURABILITIES,
  LAZY,
  openInMemory,
  PATH,
  pattern,
  segmentIds,
  turn,
  until,
} from "../support/test_store.ts";

const NOW = 1_700_000_000_000;

function show({ version, op, key }: Change): string {
  return `${version} ${op} ${key}`;
}

async function shown(store: KvStore, since: number): Promise<string[]> {
  return (await takeAll(store, { since })).map(show);
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: Compacted for those who would miss a delete, and for nobody else`, async () => {
    const fs = new MemoryFileSystem();
    const options = { durability, segmentBytesMax: 4096 };
    const store = await openInMemory(options, fs);
    for (let i = 1; i <= 5; i++) await store.set(`${i}`, pattern(10));
    await store.delete("2");
    await store.delete("4");
    await store.set("6", "1");
    await store.compact();
    assert.equal(droppedLsn(fs), 7);
    const check = async (store: KvStore) => {
      for (let since = 0; since < 7; since++) {
        throwsAtOnce(
          "Compacted",
          /after version \d.* up to version 7 .*start again from a scan/,
          () => store.changes({ since }),
        );
      }
      assert.deepEqual(await shown(store, 7), ["8 set 6"]);
      assert.deepEqual(await shown(store, 8), []);
    };
    await check(store);
    await store.close();
    await using again = await openInMemory(options, fs);
    await check(again);
    // Overwriting drops nothing that a follower needs.
    for (let i = 0; i < 50; i++) await again.set("6", pattern(200, i));
    await again.compact();
    assert.deepEqual(await shown(again, 7), ["58 set 6"]);
    await using readOnly = await openInMemory({ readOnly: true }, fs);
    assert.deepEqual(await shown(readOnly, 7), ["58 set 6"]);
    throwsAtOnce("Compacted", /after version 6/, () => readOnly.changes({ since: 6 }));
  });

  test(`${name}: a feed goes on where compaction has replaced what it was reading`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability, segmentBytesMax: 4096 }, fs);
    // Records of 2 KiB: the feed has read ahead of none that is not in its segment.
    for (let i = 1; i <= 40; i++) await store.set(`${i % 25}`, pattern(1900, i));
    const feed = store.changes({ since: 0 });
    const seen: number[] = [];
    const take = async (count: number) => {
      for (let i = 0; i < count; i++) seen.push((await feed.next()).value!.version);
    };
    await take(3);
    const [reading] = segmentIds(fs);
    await store.compact();
    assert(!segmentIds(fs).includes(reading! + 1), "what it was about to read is gone");
    await take(10);
    // Of what it has not seen, it is shown each key's newest.
    for (let i = 41; i <= 50; i++) await store.set(`${i % 25}`, pattern(1900, i));
    await store.compact();
    while (seen.at(-1) !== 50) await take(1);
    seen.forEach((version, i) => assert(i === 0 || version > seen[i - 1]!));
    for (let version = 26; version <= 50; version++) assert(seen.includes(version), `${version}`);
    await feed.return();
  });

  test(`${name}: a live feed that is behind a delete when it is dropped ends with Compacted`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability, segmentBytesMax: 4096 }, fs);
    for (let i = 1; i <= 10; i++) await store.set(`${i}`, pattern(3500, i));
    const behind = store.changes({ since: 0 });
    const ahead = store.changes({ since: 9 });
    await behind.next();
    await ahead.next();
    await store.delete("5");
    assert.equal((await ahead.next()).value?.op, "del");
    const waiting = ahead.next();
    await store.compact();
    await failsWith("Compacted", /deletes up to version 11/, async () => {
      for await (const { version } of behind) assert(version < 11);
    });
    await store.set("new", "1");
    assert.equal((await waiting).value?.key, "new", "who has seen the delete goes on");
    await ahead.return();
  });
}

test("a feed that is not live ends though compaction has removed its last changes", async () => {
  await using store = await openInMemory({ segmentBytesMax: 4096 });
  for (let i = 1; i <= 10; i++) await store.set(`${i}`, pattern(3500, i));
  const feed = store.changes({ since: 0, live: false });
  await feed.next();
  for (let i = 3; i <= 10; i++) await store.set(`${i}`, pattern(3500, i));
  await store.compact();
  const versions: number[] = [];
  for await (const { version } of feed) versions.push(version);
  assert.deepEqual(versions, [2]);
  assert.equal(feed.version, 10);
});

test("while entries are still being moved, a feed reads the old segments or the new one", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const gate = new Gate();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let i = 1; i <= 20; i++) await store.set(`${i % 4}`, pattern(1000, i));
  const newest = Math.max(...segmentIds(fs));
  fs.beforeSyncAsync = (path) => {
    const hint = /(\d{10})\.hint\.tmp$/.exec(path);
    return hint !== null && Number(hint[1]) > newest ? gate.pass() : undefined;
  };
  const compaction = store.compact();
  await until("the output is written", () => gate.waiting > 0);
  assert.equal((await shown(store, 0)).length, 20, "the old ones are still the log");
  gate.open();
  await compaction;
  assert.equal((await shown(store, 0)).length, 4);
});

test("an expired key is shown as it was set until compaction, then buried or dropped", async () => {
  const fs = new MemoryFileSystem();
  const clock = new TestClock({ nowMs: NOW });
  const compaction = { auto: false, retainedVersions: 100 };
  const store = await openInMemory({ clock, compaction, segmentBytesMax: 4096 }, fs);
  await store.set("a", "1");
  await store.set("a", "2", { ttl: 1000 });
  clock.advance(2000);
  assert.deepEqual(await shown(store, 0), ["1 set a", "2 set a"]);
  await store.compact();
  assert.deepEqual(await takeAll(store, { since: 0 }), [{ version: 2, op: "del", key: "a" }]);
  await assertExact(store, fs, clock.now());
  await store.close();
  await using again = await openInMemory({ clock }, fs);
  await again.compact();
  assert.equal(droppedLsn(fs), 2);
  throwsAtOnce("Compacted", /up to version 2/, () => again.changes({ since: 1 }));
});

test("who would miss an expiry that was dropped is told so", async () => {
  const clock = new TestClock({ nowMs: NOW });
  await using store = await openInMemory({ clock });
  await store.set("a", "1");
  await store.set("a", "2", { ttl: 1000 });
  await store.set("b", "1");
  clock.advance(2000);
  assert.equal(store.size, 1);
  await store.compact();
  assert.deepEqual(await shown(store, 2), ["3 set b"]);
  throwsAtOnce("Compacted", /up to version 2/, () => store.changes({ since: 1 }));
});

test("retainedVersions: so many versions behind, a feed misses nothing, however often compacted", async () => {
  const fs = new MemoryFileSystem();
  const clock = new TestClock({ nowMs: NOW });
  const retainedVersions = 10;
  const options = { clock, segmentBytesMax: 4096, compaction: { auto: false, retainedVersions } };
  let store = await openInMemory(options, fs);
  let version = 0;
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 7; i++) {
      const key = `${round} ${i}`;
      await store.set(key, pattern(200), i === 3 ? { ttl: 10 } : {});
      ({ version } = i === 3 ? store.stats() : await store.delete(key));
    }
    clock.advance(20);
    if (round % 4 === 3) {
      await store.close();
      store = await openInMemory(options, fs);
    }
    await store.compact();
    await assertExact(store, fs, clock.now());
    assert(droppedLsn(fs) <= version - retainedVersions);
    const deletes = (await shown(store, version - retainedVersions)).map((text) => text.slice(-3));
    assert.deepEqual(
      new Set(deletes),
      new Set([1, 2, 3, 4, 5, 6].map((i) => `${round} ${i}`.slice(-3))),
    );
  }
  assert(droppedLsn(fs) > version - 30, "older ones are dropped");
  const { records } = takeCensus(fs, PATH, clock.now());
  assert(records <= 30, `${records} records are left`);
  await store.close();
});

test("deletes that are kept give compaction no reason to run, and go when their time has come", async () => {
  const fs = new MemoryFileSystem();
  const compaction = { deadRatio: 0.3, totalBytes: 0, deadBytesMin: 2000, retainedVersions: 1000 };
  const options = { durability: LAZY, segmentBytesMax: 4096, compaction };
  const idle = async () => {
    for (let i = 0; i < 20; i++) await turn();
    await until("compaction is over", () => !store.stats().compacting);
    for (let i = 0; i < 20; i++) await turn();
    await store.flush();
  };
  let store = await openInMemory(options, fs);
  for (let i = 0; i < 400; i++) await store.set(`${i}`, pattern(10));
  for (let i = 0; i < 400; i++) await store.delete(`${i}`);
  await idle();
  assert(takeCensus(fs, PATH, 0).deletes >= 400, "all are kept");
  assert(takeCensus(fs, PATH, 0).records < 500, "what they deleted is not");
  const { compactions } = store.stats();
  assert(compactions > 0 && compactions < 40, `${compactions} compactions`);
  // All of the log but this is deletes, and still nothing is worth compacting.
  for (let i = 0; i < 80; i++) await store.set(`new ${i}`, pattern(100));
  await idle();
  const after = store.stats();
  assert(after.compactions <= compactions + 1, `${after.compactions} after ${compactions}`);
  assert.deepEqual(
    await store.compact().then(() => store.compact()).then((r) => r.segmentsBefore),
    0,
  );
  await store.close();
  store = await openInMemory(options, fs);
  await idle();
  assert.equal(store.stats().compactions, 0, "nor after reopening");
  assert.equal(takeCensus(fs, PATH, 0).deletes, 400);
  for (let i = 0; i < 1100; i++) await store.set(`newer ${i}`, pattern(10));
  await idle();
  // Fewer than deadBytesMin may stay, as of anything dead.
  const { deletes } = takeCensus(fs, PATH, 0);
  assert(deletes < 2000 / 30, `${deletes} deletes are left that are not among the newest`);
  await assertExact(store, fs);
  await store.close();
});

test("deletes whose time comes while compaction runs are dropped by the next run", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  const gate = new Gate();
  const compaction = { deadRatio: 0.3, totalBytes: 0, deadBytesMin: 2000, retainedVersions: 300 };
  const options = { durability: LAZY, segmentBytesMax: 4096, compaction };
  await using store = await openInMemory(options, fs);
  const idle = async () => {
    for (let i = 0; i < 20; i++) await turn();
    await until("compaction is over", () => !store.stats().compacting);
    for (let i = 0; i < 20; i++) await turn();
    await store.flush();
  };
  for (let i = 0; i < 300; i++) store.setSync(`${i}`, pattern(10));
  for (let i = 0; i < 300; i++) {
    store.deleteSync(`${i}`);
    // Something to copy, so that compaction of deletes has an output to wait for.
    if (i % 40 === 0) store.setSync(`alive ${i}`, "1");
  }
  await idle();
  assert.equal(takeCensus(base, PATH, 0).deletes, 300);
  const { compactions } = store.stats();
  fs.beforeSyncAsync = (path) => {
    return path.endsWith(".hint.tmp") && store.stats().compacting ? gate.pass() : undefined;
  };
  for (let i = 0; gate.waiting === 0; i++) {
    assert(i < 250, "the first of them may go, so compaction begins");
    store.setSync(`new ${i}`, pattern(10));
    for (let turns = 0; turns < 5; turns++) await turn();
  }
  for (let i = 0; i < 500; i++) store.setSync(`newer ${i}`, pattern(10));
  assert.equal(store.stats().compactions, compactions);
  gate.open();
  await idle();
  const { deletes } = takeCensus(base, PATH, 0);
  assert(deletes < 2000 / 30, `${deletes} deletes are left that are not among the newest`);
});

test("in a compacted segment no damage makes a feed pass over a change", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  for (let i = 1; i <= 40; i++) await store.set(`${i % 3 === 0 ? i : "x"}`, "1");
  await store.compact();
  const path = `${PATH}/wal/${String(Math.max(...segmentIds(fs))).padStart(10, "0")}.log`;
  const whole = await shown(store, 20);
  assert.equal(whole.length, 8);
  const file = fs.open(path, "write");
  const size = file.size();
  assert(size > 350, `${size} bytes`);
  for (let bit = 0; bit < size * 8; bit += 3) {
    const byte = new Uint8Array(1);
    file.read(byte, 0, 1, bit >> 3);
    file.write(Uint8Array.of(byte[0]! ^ 1 << bit % 8), 0, 1, bit >> 3);
    let seen: string[] | undefined;
    try {
      seen = await shown(store, 20);
    } catch (error) {
      assert.equal((error as KvError).code, "CorruptLog");
    }
    if (seen !== undefined) assert.deepEqual(seen, whole, `bit ${bit} is wrong`);
    file.write(byte, 0, 1, bit >> 3);
  }
  file.close();
});

test("a damaged record is CorruptLog with its place, after everything before it", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let i = 1; i <= 60; i++) await store.set(`${i}`, pattern(100, i));
  const path = `${PATH}/wal/0000000002.log`;
  const file = fs.open(path, "write");
  const size = file.size();
  const original = new Uint8Array(size);
  file.read(original, 0, size, 0);
  const first = (await takeAll(store, { since: 0 })).length;
  assert.equal(first, 60);
  let checked = 0;
  for (let at = 0; at < size; at += 7) {
    const damaged = original.slice();
    damaged[at]! ^= 1 << (at % 8);
    file.write(damaged, 0, size, 0);
    let last = 0;
    const error = await failsWith("CorruptLog", /0000000002\.log.*cairn repair/, async () => {
      for await (const change of store.changes({ since: 0, live: false })) {
        assert.deepEqual(change.value, pattern(100, change.version));
        assert.equal(change.version, ++last);
      }
    });
    assert.equal(error.path, path);
    assert.equal(error.fileId, 2);
    assert(error.offset! <= at, `byte ${at} is reported at ${error.offset}`);
    checked++;
  }
  assert(checked > 500);
  file.truncate(2000);
  const error = await failsWith("CorruptLog", /file ends inside a frame/, () => {
    return takeAll(store, { since: 0 });
  });
  assert(error.offset! <= 2000 && error.offset! > 1800);
  file.write(original, 0, size, 0);
  assert.equal((await takeAll(store, { since: 0 })).length, 60);
  file.close();
});
