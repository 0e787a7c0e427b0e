/** A disk that fails while one segment is closed and the next begun. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SEGMENT_FRAME_BYTES } from "../../lib/format/control_record.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { failsWith } from "../support/kv_error.ts";
import { MAX, openFull, SteppedDisk, STEPS } from "../support/stepped_disk.ts";
import {
  assertExact,
  DURABILITIES,
  openInMemory,
  pattern,
  segmentIds,
  turn,
  until,
} from "../support/test_store.ts";

for (const [name, durability] of DURABILITIES) {
  for (let passed = 0; passed < STEPS.length; passed++) {
    test(`${name}: after ${passed} steps, the next one fails`, async () => {
      const disk = new SteppedDisk();
      const store = await openFull(disk, durability);
      const written = store.set("new", pattern(MAX / 2, 2)).then(() => store.flush());
      const rejected = failsWith("Io", /fails/, () => written);
      for (const step of STEPS.slice(0, passed)) {
        await disk.expect(step);
        disk.pass();
      }
      await disk.expect(STEPS[passed]!);
      const synced = disk.syncs.length;
      disk.pass(true);
      await rejected;
      assert.equal(store.failure?.code, "Io");
      await failsWith("Io", /takes no more writes/, () => store.set("later", "1"));
      await failsWith("Io", /takes no more writes/, () => store.flushSync());
      assert.deepEqual(disk.syncs.slice(synced), [], "nothing is tried again");
      assert.deepEqual(await store.get("old"), pattern(MAX / 2 + 1, 1));
      assert.equal((await store.get("new")) === undefined, durability === "immediate");
      assert.equal(disk.size(2), SEGMENT_FRAME_BYTES);
      disk.release();
      await store.close().catch(() => {});
      assert.deepEqual(disk.faulty.openNames, []);
      await using again = await openInMemory({ segmentBytesMax: MAX }, disk.faulty);
      assert.deepEqual(await again.get("old"), pattern(MAX / 2 + 1, 1));
      assert.equal(again.size, 1);
      assert.equal(segmentIds(disk.faulty).length, passed < 4 ? 1 : 2);
      await again.set("more", pattern(MAX));
      await assertExact(again, disk.faulty);
    });
  }

  test(`${name}: who does the rest is told when that fails`, async () => {
    const disk = new SteppedDisk();
    const store = await openFull(disk, durability);
    const written = store.set("new", pattern(MAX / 2, 2)).catch(() => {});
    await disk.expect("0000000001.log");
    disk.fs.beforeSync = (path) => {
      throw ioError("sync", path, new SystemError("EIO", "the disk fails"));
    };
    assert.throws(() => store.flushSync(), { code: "Io" });
    assert.equal(store.failure?.code, "Io");
    assert.equal(store.stats().durableVersion, 1);
    await failsWith("Io", /takes no more writes/, () => store.set("later", "1"));
    disk.release();
    await written;
    await store.close().catch(() => {});
    await until("all is given back", () => disk.faulty.openNames.length === 0);
    await using again = await openInMemory({}, disk.faulty);
    assert.deepEqual(await again.get("old"), pattern(MAX / 2 + 1, 1));
  });

  test(`${name}: an fsync that fails after it was overtaken is no success`, async () => {
    const disk = new SteppedDisk();
    const store = await openFull(disk, durability);
    const written = store.set("new", pattern(MAX / 2, 2)).catch(() => {});
    await disk.expect("0000000001.log");
    store.flushSync();
    await written;
    disk.pass(true);
    await until("it is known", () => store.failure !== undefined);
    await failsWith("Io", /takes no more writes/, () => store.set("later", "1"));
    disk.release();
    await store.close().catch(() => {});
  });

  test(`${name}: an fsync of the old segment that runs already fails`, async () => {
    const disk = new SteppedDisk();
    const store = await openFull(disk, durability);
    const outcomes = [store.set("a", "1"), store.set("b", "2")].map((write) =>
      write.catch(() => {})
    );
    const flushed = durability === "immediate" ? undefined : store.flush().catch(() => {});
    await disk.expect("0000000001.log");
    void store.set("new", pattern(MAX / 2, 2)).catch(() => {});
    for (let turns = 0; turns < 5; turns++) await turn();
    await disk.expect("0000000001.log");
    disk.pass(true);
    await Promise.all([...outcomes, flushed]);
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.deepEqual(disk.waiting, [], "it is not tried again, nor anything built upon it");
    assert.equal(store.failure?.code, "Io");
    disk.release();
    await store.close().catch(() => {});
    assert.deepEqual(segmentIds(disk.faulty), [1, 2]);
    await using again = await openInMemory({}, disk.faulty);
    assert.deepEqual(segmentIds(disk.faulty), [1]);
    assert.deepEqual(await again.get("old"), pattern(MAX / 2 + 1, 1));
  });

  test(`${name}: where no new segment can be created, all before it is durable`, async () => {
    const disk = new SteppedDisk();
    const store = await openFull(disk, durability);
    const small = store.set("small", "1").catch(() => {});
    disk.faulty.fail = ({ what, name }) =>
      what === "create" && name === "0000000002.log" ? "ENOSPC" : undefined;
    assert.throws(() => store.setSync("new", pattern(MAX / 2, 2)), { code: "NoSpace" });
    assert.equal(store.failure?.code, "NoSpace");
    assert.equal(store.stats().durableVersion, 2);
    disk.release();
    await small;
    await store.close().catch(() => {});
    assert.deepEqual(disk.faulty.openNames, []);
    disk.faulty.heal();
    await using again = await openInMemory({}, disk.faulty);
    assert.equal(again.has("small"), true);
    assert.equal(again.has("new"), false);
  });

  test(`${name}: where its second descriptor cannot be had, likewise`, async () => {
    const disk = new SteppedDisk();
    const store = await openFull(disk, durability);
    disk.faulty.fail = ({ what, name }) =>
      what === "openToWrite" && name === "0000000002.log" ? "EMFILE" : undefined;
    assert.throws(() => store.setSync("new", pattern(MAX / 2, 2)), { code: "Io" });
    assert.deepEqual(segmentIds(disk.faulty), [1], "nothing of it is left");
    disk.release();
    await store.close().catch(() => {});
    assert.deepEqual(disk.faulty.openNames, []);
  });
}

test("a snapshot after a failure has nothing of the segment that could not be begun", async () => {
  const disk = new SteppedDisk();
  await using store = await openFull(disk, "immediate");
  const written = store.set("new", pattern(MAX / 2, 2)).catch(() => {});
  await disk.expect("0000000001.log");
  disk.pass(true);
  await written;
  using snapshot = await store.snapshot();
  const names: string[] = [];
  for await (const file of snapshot.files()) {
    names.push(file.name);
    for await (const _piece of file.pieces());
  }
  assert.deepEqual(names, ["wal/NODE_ID", "wal/0000000001.log", "wal/ACTIVE"]);
  assert.equal(snapshot.version, 1);
  disk.release();
});

test("a directory that could not be synced for another file may have lost the new segment", async () => {
  const disk = new SteppedDisk();
  const store = await openFull(disk);
  void store.set("new", pattern(MAX / 2, 2)).catch(() => {});
  for (const step of STEPS) {
    await disk.expect(step);
    disk.pass();
  }
  // Now the hint of the first segment is written, while the next one is closed.
  await until("its hint", () => disk.hints.waiting > 0);
  void store.set("newer", pattern(MAX / 2, 3)).catch(() => {});
  await disk.expect("0000000002.log");
  disk.hints.open();
  await until("the directory", () => disk.waiting.length === 2);
  disk.waiting.reverse();
  assert.equal(disk.waiting[0]?.name, "wal");
  disk.pass(true);
  await until("it is known", () => store.failure !== undefined);
  disk.release();
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.equal(disk.size(3), SEGMENT_FRAME_BYTES);
  const renamed = disk.faulty.calls.filter((call) => call === "rename ACTIVE");
  assert.equal(renamed.length, 1, "ACTIVE does not name what may be lost");
  await failsWith("Io", /fails/, () => store.close());
  await using again = await openInMemory({}, disk.faulty);
  assert.equal(again.has("new"), true);
});

test("batched: a rotation that fails is logged, though nobody waits for it", async () => {
  const disk = new SteppedDisk();
  const lines: string[] = [];
  const log = (message: string) => void lines.push(message);
  const logger = { debug: () => {}, info: () => {}, warn: log, error: log };
  const durability = { bytes: 1 << 30, millis: 1 };
  const options = { durability, segmentBytesMax: MAX, logger: logger as never };
  const store = await openInMemory(options, disk.fs);
  await store.set("old", pattern(MAX / 2 + 1, 1));
  await store.flush();
  disk.hold();
  void store.set("new", pattern(MAX / 2, 2)).catch(() => {});
  await disk.expect("0000000001.log");
  disk.pass(true);
  await until("it is logged", () => lines.some((line) => line.includes("no more writes")));
  disk.release();
  await store.close().catch(() => {});
});
