/** Snapshots: their files, and what becomes of those that are forgotten. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvStore } from "../../lib/store/store.ts";
import { CountingFileSystem } from "../support/counting_file_system.ts";
import { fromImage } from "../support/disk_image.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { writeSegments } from "../support/segmented_store.ts";
import { openInMemory, PATH, pattern, until } from "../support/test_store.ts";

test("snapshot: files have the length they say, and compaction cannot take them away", async () => {
  const fs = new CountingFileSystem();
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let index = 0; index < 40; index++) await store.set(`key ${index % 9}`, pattern(300, index));
  const before = fs.openPaths.length;
  const snapshot = await store.snapshot();
  assert.equal(snapshot.version, 40);
  await store.compact();
  assert(fs.openPaths.length > before - 2, "the old segments are still open");
  let files = 0;
  for await (const file of snapshot.files()) {
    let length = 0;
    for await (const piece of file.pieces()) length += piece.length;
    assert.equal(length, file.length, file.name);
    files++;
  }
  assert(files > 4);
  const held = fs.openPaths.length;
  snapshot.close();
  snapshot.close();
  assert(fs.openPaths.length < held, "closing gives the old segments back");
  await failsWith("Closed", /begin again/, async () => {
    for await (const file of snapshot.files()) for await (const _ of file.pieces());
  });
  await store.close();
  assert.deepEqual(fs.openPaths, []);
});

test("snapshot: forgotten ones end with the store, even in the midst of a read", async () => {
  const { image } = await writeSegments();
  const counting = new CountingFileSystem(fromImage(image));
  const fs = new InterceptingFileSystem(counting);
  const store = await openInMemory({}, fs);
  await store.snapshot();
  const snapshot = await store.snapshot();
  const gate = new Gate();
  const iterators = [];
  let reading: Promise<unknown> | undefined;
  for await (const file of snapshot.files()) {
    if (file.name.endsWith(".hint")) {
      // Begun and forgotten, with a hint file open.
      const pieces = file.pieces();
      await pieces.next();
      iterators.push(pieces);
      fs.beforeReadAsync = () => gate.pass();
      reading = snapshotReading(await store.snapshot());
      break;
    }
  }
  await until("a read waits", () => gate.waiting === 1);
  await store.close();
  assert.equal(counting.openPaths.length, 1, "the file that is being read stays open");
  gate.open();
  await failsWith("Closed", /begin again/, () => reading);
  assert.deepEqual([counting.openPaths, counting.locks], [[], 0]);
});

async function snapshotReading(snapshot: Awaited<ReturnType<KvStore["snapshot"]>>): Promise<void> {
  for await (const file of snapshot.files()) for await (const _ of file.pieces());
}

test("snapshot: one that was asked for before the store is closed, and not yet taken", async () => {
  const counting = new CountingFileSystem();
  const fs = new InterceptingFileSystem(counting);
  const store = await openInMemory({}, fs);
  const gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  // Two, for a single one would be synced at once.
  const writes = [store.set("a", "1"), store.set("b", "2")];
  await until("the fsync has begun", () => gate.waiting === 1);
  const taking = failsWith("Closed", /closed/, () => store.snapshot());
  const closing = store.close();
  gate.open();
  await Promise.all([...writes, taking, closing]);
  assert.deepEqual(counting.openPaths, []);
});

test("snapshot: a hint file that is just being read is closed afterwards", async () => {
  const { image } = await writeSegments();
  const counting = new CountingFileSystem(fromImage(image));
  const fs = new InterceptingFileSystem(counting);
  await using store = await openInMemory({ readOnly: true }, fs);
  const open = counting.openPaths.length;
  for (const isBegun of [false, true]) {
    const snapshot = await store.snapshot();
    const files = snapshot.files();
    let file = (await files.next()).value!;
    while (!file.name.endsWith(".hint")) file = (await files.next()).value!;
    const gate = new Gate();
    fs.beforeReadAsync = () => gate.pass();
    const reading = isBegun
      ? failsWith("Closed", /begin again/, () => file.pieces().next())
      : Promise.resolve();
    if (isBegun) await until("a read waits", () => gate.waiting === 1);
    snapshot.close();
    assert.equal(counting.openPaths.length, isBegun ? open + 1 : open);
    gate.open();
    await reading;
    assert.equal(counting.openPaths.length, open);
  }
});

test("snapshot: a hint file that gets shorter while it is read is not made longer by zeros", async () => {
  const { image } = await writeSegments();
  const fs = fromImage(image);
  await using store = await openInMemory({ readOnly: true }, fs);
  using snapshot = await store.snapshot();
  await failsWith("Io", /got shorter/, async () => {
    for await (const { name, pieces } of snapshot.files()) {
      if (!name.endsWith(".hint")) continue;
      const file = fs.open(`${PATH}/${name}`, "write");
      file.truncate(file.size() - 1);
      file.close();
      for await (const _ of pieces());
    }
  });
});
