/** However quick a writer is, compaction keeps up, because writes are acknowledged as it gets on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { failsWith } from "../support/kv_error.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { PatientFileSystem } from "../support/patient_file_system.ts";
import { TestClock } from "../support/test_clock.ts";
import {
  assertExact,
  DURABILITIES,
  LAZY,
  logNames,
  MemoryLogger,
  openInMemory,
  pattern,
  turn,
  until,
} from "../support/test_store.ts";

const KIB = 1024;
const SEGMENT_BYTES = 16 * KIB;
const KEYS = 100;
/** What the keys take, and what the log may take: twice that and a few segments. */
const LIVE_BYTES = KEYS * (KIB + 40);
const TOTAL_BYTES_MAX = 2 * LIVE_BYTES + 8 * SEGMENT_BYTES;
const OVERWRITES = 20 * KEYS;
/** Writes in flight at once. */
const PIPELINED = 10;
const encoder = new TextEncoder();

/** A store of small segments on a clock that stands still: no timer lets anybody go. */
function openSmall(fs: FileSystem, options: OpenOptions = {}): Promise<KvStore> {
  return openInMemory({
    durability: LAZY,
    segmentBytesMax: SEGMENT_BYTES,
    compaction: { deadBytesMin: SEGMENT_BYTES },
    clock: new TestClock(),
    ...options,
  }, fs);
}

/** Keys as if at random, so that segments are partly dead. */
function keyAt(count: number): string {
  const mixed = Math.imul(count ^ (count >>> 7), 0x9e3779b1);
  return `${((mixed ^ (mixed >>> 15)) >>> 0) % KEYS}`;
}

async function fill(store: KvStore): Promise<void> {
  for (let count = 0; count < KEYS; count++) await store.set(`${count}`, pattern(KIB, count));
}

/** Overwrites all keys several times; returns the most that the log took meanwhile. */
async function overwrite(
  store: KvStore,
  write: (count: number) => Promise<unknown>,
  each = 1,
): Promise<number> {
  let totalBytesMax = 0;
  for (let count = 0; count < OVERWRITES; count += each) {
    await write(count);
    totalBytesMax = Math.max(totalBytesMax, store.stats().totalBytes);
  }
  return totalBytesMax;
}

/** Sets by the short way that TCP takes; the promise stands for a connection that waits. */
async function setByBell(store: KvStore, key: string, value: Uint8Array): Promise<void> {
  const { direct } = store;
  const keyBytes = encoder.encode(key);
  const bytes = new Uint8Array(keyBytes.length + value.length);
  bytes.set(keyBytes);
  bytes.set(value, keyBytes.length);
  const version = direct.set(bytes, 0, keyBytes.length, keyBytes.length, bytes.length);
  while (direct.acknowledged < version) {
    assert.equal(direct.failure, undefined);
    await new Promise<void>((wake) => direct.wait(wake));
  }
}

/** Sets by the short way that HTTP takes. */
function setByListener(store: KvStore, key: string, value: Uint8Array): Promise<unknown> {
  const keyBytes = encoder.encode(key);
  return new Promise((written, failed) => {
    const version = store.direct.setFor({ written, failed }, keyBytes, 0, keyBytes.length, value);
    if (version < 0) store.set(key, value).then(written, failed);
  });
}

/** Ways of writing, and how many operations are one step. */
const WRITERS: readonly (readonly [
  name: string,
  each: number,
  write: (store: KvStore, count: number) => Promise<unknown>,
])[] = [
  ["set after set", 1, (store, count) => store.set(keyAt(count), pattern(KIB, count))],
  [
    "many sets at once",
    PIPELINED,
    (store, count) =>
      Promise.all(
        Array.from({ length: PIPELINED }, (_, at) => store.set(keyAt(count + at), pattern(KIB))),
      ),
  ],
  ["batches", 10, (store, count) =>
    store.batch(Array.from(
      { length: 10 },
      (_, at) => ({ op: "set", key: keyAt(count + at), value: pattern(KIB) }),
    ))],
  [
    "updates",
    1,
    (store, count) => store.update(() => [{ op: "set", key: keyAt(count), value: pattern(KIB) }]),
  ],
  ["deletes and sets", 1, async (store, count) => {
    await store.delete(keyAt(count));
    await store.set(keyAt(count), pattern(KIB));
  }],
  ["blocking sets and a flush", 10, (store, count) => {
    for (let at = 0; at < 10; at++) store.setSync(keyAt(count + at), pattern(KIB));
    return store.flush();
  }],
  ["a TCP connection", PIPELINED, (store, count) =>
    Promise.all(
      Array.from(
        { length: PIPELINED },
        (_, at) => setByBell(store, keyAt(count + at), pattern(KIB)),
      ),
    )],
  ["HTTP requests", PIPELINED, (store, count) =>
    Promise.all(
      Array.from({ length: PIPELINED }, (_, at) =>
        setByListener(store, keyAt(count + at), pattern(KIB))),
    )],
];

for (const [durabilityName, durability] of DURABILITIES) {
  for (const [name, each, write] of WRITERS) {
    test(`${durabilityName}: ${name} leave the log at twice what is alive and a few segments`, async () => {
      const fs = new PatientFileSystem();
      await using store = await openSmall(fs, { durability });
      await fill(store);
      const totalBytesMax = await overwrite(store, (count) => write(store, count), each);
      assert(totalBytesMax < TOTAL_BYTES_MAX, `${totalBytesMax} > ${TOTAL_BYTES_MAX}`);
      assert(store.stats().compactions > 3);
      await assertExact(store, fs);
    });
  }
}

/** Overwrites with nothing but one set after the other; returns the most that the log took. */
const overwriteAll = (store: KvStore) =>
  overwrite(store, (count) => store.set(keyAt(count), pattern(KIB, count)));

/** Lets a store fall behind until a set has to wait for a compaction that stands still. */
async function setUntilOneWaits(store: KvStore): Promise<{ isDone: boolean; over: Promise<void> }> {
  for (let count = 0; count < OVERWRITES; count++) {
    const write = { isDone: false, over: Promise.resolve() };
    write.over = store.set(keyAt(count), pattern(KIB)).then(() => void (write.isDone = true));
    for (let turns = 0; turns < 50 && !write.isDone; turns++) await turn();
    if (!write.isDone) return write;
    await write.over;
  }
  assert.fail("none has waited");
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: where compaction is left to the user, nobody waits for it`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openSmall(fs, { durability, compaction: { auto: false } });
    await fill(store);
    assert(await overwriteAll(store) > OVERWRITES * KIB);
    assert.equal(store.stats().backpressureMs, 0);
  });

  test(`${name}: a compaction that fails lets everybody go`, async () => {
    const fs = new InterceptingFileSystem(new PatientFileSystem());
    const logger = new MemoryLogger();
    await using store = await openSmall(fs, { durability, logger });
    await fill(store);
    fs.beforeReadAsync = () => {
      throw new Error("no memory");
    };
    assert(await overwriteAll(store) > OVERWRITES * KIB);
    assert.equal(store.stats().compactions, 0);
    const failures = logger.troubles.filter((each) => /Compaction failed/.test(each));
    assert.equal(failures.length, 1, "it is tried again when some time has passed");
  });

  test(`${name}: a damaged segment, which cannot be compacted, has nobody wait`, async () => {
    const fs = new MemoryFileSystem();
    const logger = new MemoryLogger();
    await using store = await openSmall(fs, { durability, logger });
    await fill(store);
    const file = fs.open(
      `/store/wal/${logNames(fs).find((each) => each.endsWith(".log"))}`,
      "write",
    );
    file.write(new Uint8Array([1, 2, 3, 4]), 0, 4, 2 * KIB);
    file.close();
    assert(await overwriteAll(store) > OVERWRITES * KIB / 2);
    assert.equal(store.stats().compactions, 0);
    assert(logger.troubles.some((each) => /CorruptLog/.test(each)));
  });

  test(`${name}: deletes that are kept for followers are nothing to wait for`, async () => {
    const fs = new MemoryFileSystem();
    const compaction = { deadBytesMin: SEGMENT_BYTES, retainedVersions: 1e9 };
    await using store = await openSmall(fs, { durability, compaction });
    const key = (count: number) => `${count}`.padStart(500, "k");
    for (let count = 0; count < 600; count++) {
      await store.set(key(count), "");
      await store.delete(key(count));
    }
    assert(store.stats().totalBytes > 300 * KIB);
  });

  test(`${name}: a snapshot that is held has nobody wait longer`, async () => {
    const fs = new PatientFileSystem();
    await using store = await openSmall(fs, { durability });
    await fill(store);
    const snapshot = await store.snapshot();
    assert(await overwriteAll(store) < TOTAL_BYTES_MAX);
    snapshot.close();
  });

  test(`${name}: a compaction that stands still has writes wait for a second at most`, async () => {
    const fs = new InterceptingFileSystem(new MemoryFileSystem());
    const clock = new TestClock();
    await using store = await openSmall(fs, { durability, clock });
    using gate = new Gate();
    await fill(store);
    fs.beforeSyncAsync = (path) => path.endsWith(".hint.tmp") ? gate.pass() : undefined;
    const waiting = await setUntilOneWaits(store);
    assert.equal(gate.waiting, 1);
    // Reads do not wait, nor do those who ask for something else than an acknowledgement.
    assert.notEqual(await store.get("1"), undefined);
    for (let ms = 0; ms < 1000 && !waiting.isDone; ms += 10) {
      clock.advance(10);
      await turn();
    }
    assert(waiting.isDone);
    assert(store.stats().backpressureMs >= 10);
    assert(store.stats().backpressureMs <= 1000);
    // Once it has got nowhere for a second, nobody waits any more.
    let waitedMs = 0;
    for (let count = 0; count < OVERWRITES; count++) {
      let isDone = false;
      const over = store.set(keyAt(count), pattern(KIB, count)).then(() => isDone = true);
      for (let turns = 1; !isDone; turns++) {
        await turn();
        if (turns % 50 > 0) continue;
        clock.advance(10);
        waitedMs += 10;
        assert(waitedMs <= 1000);
      }
      await over;
    }
    assert(waitedMs > 500);
    assert(store.stats().totalBytes > OVERWRITES * KIB);
    fs.beforeSyncAsync = () => {};
    gate.open();
    await until("it has caught up", () => store.stats().totalBytes < TOTAL_BYTES_MAX);
    assert(await overwriteAll(store) < TOTAL_BYTES_MAX);
  });

  test(`${name}: closing lets everybody go, and the next opening goes on`, async () => {
    const fs = new InterceptingFileSystem(new MemoryFileSystem());
    const store = await openSmall(fs, { durability });
    using gate = new Gate();
    await fill(store);
    fs.beforeSyncAsync = (path) => path.endsWith(".hint.tmp") ? gate.pass() : undefined;
    const waiting = await setUntilOneWaits(store);
    const closed = store.close();
    await waiting.over;
    gate.open();
    await closed;
    await using again = await openSmall(fs, { durability });
    assert(again.stats().deadBytes > LIVE_BYTES);
    await until("it is compacted", () => again.stats().deadBytes < LIVE_BYTES);
    assert.equal(again.size, KEYS);
  });
}

test("immediate: a step of compaction does not let go all that is in flight", async () => {
  const fs = new PatientFileSystem();
  await using store = await openSmall(fs, { durability: "immediate" });
  await fill(store);
  const inFlight = 200;
  let totalBytesMax = 0;
  for (let count = 0; count < 3 * OVERWRITES; count += inFlight) {
    await Promise.all(
      Array.from({ length: inFlight }, (_, at) => store.set(keyAt(count + at), pattern(KIB))),
    );
    totalBytesMax = Math.max(totalBytesMax, store.stats().totalBytes);
  }
  // They are let go before and after each run, but not for each of its groups.
  const limit = TOTAL_BYTES_MAX + 5 * inFlight * (KIB + 40);
  assert(totalBytesMax < limit, `${totalBytesMax} >= ${limit}`);
});

test("immediate: who is let go early has nobody else let go for it", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const clock = new TestClock();
  const store = await openSmall(fs, { durability: "immediate", clock });
  using gate = new Gate();
  await fill(store);
  fs.beforeSyncAsync = (path) => path.endsWith(".hint.tmp") ? gate.pass() : undefined;
  // So far behind that it remains so with many writes in flight.
  for (let waited = 0; waited < 12; waited++) {
    const { over } = await setUntilOneWaits(store);
    clock.advance(10);
    await over;
  }
  const early = await setUntilOneWaits(store);
  (await store.snapshot()).close();
  await early.over;
  let count = 0;
  const many = Array.from(
    { length: 70 },
    (_, at) => store.set(keyAt(at), pattern(KIB)).then(() => count++),
  );
  const turns = async () => {
    for (let turns = 0; turns < 50; turns++) await turn();
  };
  await turns();
  // Enough for the one, and not for the many that came after it.
  clock.advance(10);
  await turns();
  assert.equal(count, 0);
  clock.advance(1000);
  await Promise.all(many);
  gate.open();
  await store.close();
});

test("batched: a write that waits while the log fails is told so", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const store = await openSmall(fs);
  using gate = new Gate();
  await fill(store);
  fs.beforeSyncAsync = (path) => path.endsWith(".hint.tmp") ? gate.pass() : undefined;
  const waiting = await setUntilOneWaits(store);
  fs.beforeSync = () => {
    throw new Error("the disk is gone");
  };
  assert.throws(() => store.flushSync());
  const told = failsWith("Io", /the disk is gone/, () => waiting.over);
  gate.open();
  await told;
  await failsWith("Io", /the disk is gone/, () => store.close());
});
