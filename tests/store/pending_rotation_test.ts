/** What happens while the disk is still busy closing one segment and beginning the next. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SEGMENT_FRAME_BYTES } from "../../lib/format/control_record.ts";
import { KvStore } from "../../lib/store/store.ts";
import { MAX, openFull, SteppedDisk, STEPS } from "../support/stepped_disk.ts";
import {
  assertExact,
  DURABILITIES,
  LAZY,
  openInMemory,
  pattern,
  turn,
} from "../support/test_store.ts";

for (const [name, durability] of DURABILITIES) {
  test(`${name}: nothing is written behind the new header before all steps are done`, async () => {
    const disk = new SteppedDisk();
    await using store = await openFull(disk, durability);
    using _released = disk;
    let isDone = false;
    const written = store.set("new", pattern(MAX / 2, 2)).then(() => store.flush())
      .then(() => isDone = true);
    for (const step of STEPS) {
      await disk.expect(step);
      assert.equal(disk.size(2), SEGMENT_FRAME_BYTES);
      assert.equal(isDone, false, "not acknowledged yet");
      assert.equal(store.stats().durableVersion, 1);
      assert.equal((await store.get("new")) === undefined, durability === "immediate");
      disk.pass();
    }
    await disk.expect("0000000002.log");
    assert(disk.size(2) > MAX / 2);
    assert.equal(isDone, false, "not acknowledged yet");
    disk.pass();
    await written;
    assert.deepEqual(disk.syncs, [...STEPS, "0000000002.log"]);
    assert.equal(store.stats().durableVersion, 2);
    disk.release();
    await assertExact(store, disk.fs);
  });

  for (let passed = 0; passed < STEPS.length; passed++) {
    test(`${name}: after ${passed} steps, who cannot wait does the rest`, async () => {
      const disk = new SteppedDisk();
      await using store = await openFull(disk, durability);
      using _released = disk;
      const written = store.set("new", pattern(MAX / 2, 2));
      for (const step of STEPS.slice(0, passed)) {
        await disk.expect(step);
        disk.pass();
      }
      await disk.expect(STEPS[passed]!);
      const synced = disk.syncs.length;
      store.setSync("newer", "1");
      store.flushSync();
      await written;
      assert.equal(store.stats().durableVersion, 3);
      // To replace ACTIVE is one step: it is done as a whole.
      const rest = [...STEPS.slice(passed === 4 ? 3 : passed), "0000000002.log"];
      assert.deepEqual(disk.syncs.slice(synced), rest);
      const reader = await openInMemory({ readOnly: true }, disk.faulty);
      assert.deepEqual(await reader.get("new"), pattern(MAX / 2, 2));
      await reader.close();
      disk.release();
      await store.set("newest", "1");
      await store.compact();
      await assertExact(store, disk.fs);
    });
  }

  test(`${name}: closing waits for it`, async () => {
    const disk = new SteppedDisk();
    const store = await openFull(disk, durability);
    const written = store.set("new", pattern(MAX / 2, 2));
    const closed = store.close();
    for (const step of STEPS) {
      await disk.expect(step);
      disk.pass();
    }
    disk.release();
    await Promise.all([written, closed]);
    assert.deepEqual(disk.faulty.openNames, []);
    await using again = await openInMemory({}, disk.faulty);
    assert.deepEqual(await again.get("new"), pattern(MAX / 2, 2));
  });

  test(`${name}: a snapshot has what is durable, and takes no part in it`, async () => {
    const disk = new SteppedDisk();
    await using store = await openFull(disk, durability);
    using _released = disk;
    const written = store.set("new", pattern(MAX / 2, 2));
    await disk.expect("0000000001.log");
    // Nothing that was acknowledged is waited for, if it is durable.
    const snapshot = durability === "immediate" ? undefined : store.backup("/backup");
    for (const step of STEPS) {
      await disk.expect(step);
      disk.pass();
    }
    disk.release();
    await written;
    await snapshot;
    if (snapshot === undefined) await store.backup("/backup");
    await using copy = await KvStore.open("/backup", { fileSystem: disk.faulty });
    assert.deepEqual(await copy.get("new"), pattern(MAX / 2, 2));
  });
}

test("what is appended meanwhile can be read, scanned and followed", async () => {
  const disk = new SteppedDisk();
  await using store = await openFull(disk);
  using _released = disk;
  for (let i = 0; i < 600; i++) await store.set(`${i}`, pattern(1024, i));
  await disk.expect("0000000001.log");
  assert.equal(disk.size(2), SEGMENT_FRAME_BYTES);
  for (let i = 0; i < 600; i++) assert.deepEqual(store.getSync(`${i}`), pattern(1024, i));
  let count = 0;
  for await (const { key, value } of store.changes({ since: 0, live: false })) {
    if (key !== "old") assert.deepEqual(value, pattern(1024, Number(key)));
    count++;
  }
  assert.equal(count, 601);
  disk.release();
  await store.flush();
  for (let i = 0; i < 600; i++) assert.deepEqual(store.getSync(`${i}`), pattern(1024, i));
  await assertExact(store, disk.fs);
});

test("more than a few megabytes do not wait in memory", async () => {
  const disk = new SteppedDisk();
  await using store = await openInMemory({ durability: LAZY, segmentBytesMax: 16 * MAX }, disk.fs);
  using _released = disk;
  for (let i = 0; i < 15; i++) await store.set(`old ${i}`, pattern(MAX, i));
  await store.set("long", pattern(MAX - 2048));
  await store.flush();
  disk.hold();
  for (let i = 0; i < 3; i++) store.setSync(`${i}`, pattern(MAX, i));
  await disk.expect("0000000001.log");
  assert.equal(disk.size(2), SEGMENT_FRAME_BYTES);
  for (let i = 3; i < 6; i++) store.setSync(`${i}`, pattern(MAX, i));
  assert(disk.size(2) > 2 * MAX);
  assert.deepEqual(disk.syncs.slice(0, STEPS.length), STEPS);
  for (let i = 0; i < 6; i++) assert.deepEqual(store.getSync(`${i}`), pattern(MAX, i));
  disk.release();
});

test("batched: whoever can wait does before that much waits in memory, and is told when it is over", async () => {
  const disk = new SteppedDisk();
  await using store = await openInMemory({ durability: LAZY, segmentBytesMax: 16 * MAX }, disk.fs);
  using _released = disk;
  for (let i = 0; i < 15; i++) await store.set(`old ${i}`, pattern(MAX, i));
  await store.set("long", pattern(MAX - 2048));
  await store.flush();
  disk.hold();
  let acknowledged = 0;
  const written = (async () => {
    for (let i = 0; i < 6; i++) await store.set(`${i}`, pattern(MAX, i)).then(() => acknowledged++);
  })();
  for (const step of STEPS) {
    await disk.expect(step);
    assert.equal(acknowledged, 1);
    assert.equal(disk.size(2), SEGMENT_FRAME_BYTES);
    disk.pass();
  }
  await written;
  assert.deepEqual(disk.syncs, STEPS);
});

test("one rotation is over before the next begins, and so before compaction replaces ACTIVE", async () => {
  const disk = new SteppedDisk();
  await using store = await openInMemory({ durability: LAZY, segmentBytesMax: 4096 }, disk.fs);
  using _released = disk;
  disk.hold();
  for (let i = 0; i < 40; i++) store.setSync(`${i % 5}`, pattern(1000, i));
  assert(store.stats().segments > 5);
  const compacted = store.compact();
  for (let turns = 0; turns < 5; turns++) await turn();
  disk.release();
  assert((await compacted).segmentsBefore > 5);
  await store.flush();
  await assertExact(store, disk.fs);
  for (let i = 35; i < 40; i++) assert.deepEqual(store.getSync(`${i % 5}`), pattern(1000, i));
});
