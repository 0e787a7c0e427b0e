/** Directories that were copied by halves: every subset of a store's files, and every empty file. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { SEGMENT_FRAME_BYTES } from "../../lib/format/control_record.ts";
import { KvStore } from "../../lib/store/store.ts";
import { assertUntouched, type DiskImage, fromImage, withFile } from "../support/disk_image.ts";
import { FIRST_LOG, leftByClose, leftByKill } from "../support/killed_store.ts";
import { writeSegments } from "../support/segmented_store.ts";
import {
  mustOpen,
  mustRefuse,
  type Opened,
  problemsOf,
  tryToOpen,
} from "../support/store_outcome.ts";
import { openInMemory, PATH } from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;
const SMALL = { segmentBytesMax: 4096 };

/** A store of two segments with a hint file, as left by a kill. */
async function twoSegments(): Promise<DiskImage> {
  return await leftByKill(async (store) => {
    for (let index = 0; index < 16; index++) await store.set(`key ${index}`, "x".repeat(250));
    await store.delete("key 3");
    assert.equal(store.stats().segments, 2);
  }, SMALL);
}

/** Two segments, of which the newest holds nothing yet: all records are in the compacted one. */
async function freshlyRotated(): Promise<DiskImage> {
  const image = await leftByClose(async (store) => {
    for (let index = 0; index < 16; index++) await store.set(`key ${index % 4}`, "x".repeat(150));
    await store.compact();
  }, SMALL);
  const sizes = [...image].filter(([name]) => name.endsWith(".log")).map(([, { length }]) =>
    length
  );
  assert.equal(sizes.length, 2);
  assert(Math.min(...sizes) < 110 && Math.max(...sizes) > 500);
  return image;
}

/** Whether a directory with these files may be one in which no store was ever finished. */
function mayBeNew(files: DiskImage): boolean {
  return [...files].every(([name, bytes]) =>
    name === "NODE_ID" || (name === FIRST_LOG && bytes.length <= SEGMENT_FRAME_BYTES)
  );
}

async function checkSubset(whole: DiskImage, files: DiskImage, opened: Opened): Promise<string> {
  const what = [...files.keys()].join(", ");
  const needed = [...whole.keys()].filter((name) => name === "ACTIVE" || name.endsWith(".log"));
  if (needed.every((name) => files.has(name))) {
    for (const readOnly of [true, false]) {
      const { state, version } = await mustOpen(fromImage(files), { readOnly });
      assert.deepEqual([state, version], [opened.state, opened.version], what);
    }
    return "whole";
  }
  if (mayBeNew(files)) {
    assert.deepEqual((await mustOpen(fromImage(files))).state, {}, what);
    const fs = fromImage(files);
    const outcome = await tryToOpen(fs, { readOnly: true });
    assert(outcome instanceof KvError && outcome.code === "Io", what);
    assertUntouched(fs, files);
    return "new";
  }
  await mustRefuse(files).catch((cause) => assert.fail(`${what}: ${cause}`));
  assert.notDeepEqual(await problemsOf(files), [], what);
  return "refused";
}

test("with any subset of its files, a store is whole, or refused, or was never begun", {
  timeout: TIMEOUT_MS,
}, async () => {
  for (
    const whole of [(await writeSegments()).image, await twoSegments(), await freshlyRotated()]
  ) {
    const opened = await mustOpen(fromImage(whole), { readOnly: true });
    const names = [...whole.keys()];
    const counts: Record<string, number> = {};
    for (let subset = 0; subset < 2 ** names.length; subset++) {
      const files = new Map([...whole].filter((_, index) => (subset & 1 << index) !== 0));
      const outcome = await checkSubset(whole, files, opened);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    // Without any hint file and with all, with NODE_ID and without.
    const hints = names.filter((name) => name.endsWith(".hint")).length;
    assert.deepEqual(counts, {
      new: 2,
      refused: 2 ** names.length - 2 - 2 ** (hints + 1),
      whole: 2 ** (hints + 1),
    });
  }
});

test("with any of its files copied in part, a store is whole or refused", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  for (const [name, bytes] of image) {
    for (const length of [0, 1, bytes.length >>> 1, bytes.length - 1]) {
      const files = withFile(image, name, bytes.subarray(0, length));
      const isNeeded = !name.endsWith(".hint") && !(name === "NODE_ID" && length === 36);
      if (isNeeded) {
        await mustRefuse(files).catch((cause) => assert.fail(`${length} of ${name}: ${cause}`));
      } else {
        assert.deepEqual((await mustOpen(fromImage(files))).state, opened.state, name);
      }
    }
  }
});

test("what is in the lock file makes no difference", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeSegments();
  const contents = ["", "process 1\n", `process ${2 ** 40}`, "\0".repeat(5), "x".repeat(100_000)];
  for (const content of contents) {
    const fs = fromImage(image);
    const file = fs.open(`${PATH}/LOCK`, "create");
    const bytes = new TextEncoder().encode(content);
    file.write(bytes, 0, bytes.length, 0);
    file.close();
    assert.deepEqual((await mustOpen(fs, { readOnly: true })).state, opened.state);
    const store = await openInMemory({}, fs);
    const refused = await tryToOpen(fs);
    assert(
      refused instanceof KvError && refused.code === "Locked",
      "the lock is held all the same",
    );
    await store.close();
    assert.deepEqual((await mustOpen(fs)).state, opened.state);
  }
});

test("files that are not the store's are kept, not touched and not counted", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  const foreign = [
    "notes.txt",
    "wal/.DS_Store",
    "wal/0000000000.log",
    "wal/0000000001.log.bak",
    "wal/0000000001.log~",
    "wal/0000000009.LOG",
    "wal/1.log",
    "wal/99999999999.log",
    "wal/4294967296.hint",
    "wal/ACTIVE.bak",
    "wal/active",
    "wal/backup/0000000009.log",
  ];
  const fs = fromImage(image);
  const verified = await KvStore.verify(PATH, { fileSystem: fs });
  fs.makeDirectory(`${PATH}/wal/backup`);
  const bytes = image.get("0000000003.log")!;
  for (const name of foreign) {
    const file = fs.open(`${PATH}/${name}`, "create");
    file.write(bytes, 0, bytes.length, 0);
    file.close();
  }
  const expected = { ...await mustOpen(fromImage(image)) };
  for (const readOnly of [true, false]) {
    assert.deepEqual(await mustOpen(fs, { readOnly }), expected);
  }
  assert.deepEqual(await KvStore.verify(PATH, { fileSystem: fs }), verified);
  const store = await openInMemory(SMALL, fs);
  const { totalBytes, segments } = store.stats();
  const logs = [...image].filter(([name]) => name.endsWith(".log"));
  assert.equal(totalBytes, logs.reduce((sum, [, { length }]) => sum + length, 0));
  assert.equal(segments, logs.length);
  for (let index = 0; index < 60; index++) await store.set(`key ${index % 5}`, "y".repeat(300));
  await store.compact();
  await store.close();
  const { state } = await mustOpen(fs);
  for (const key of Object.keys(opened.state)) assert.equal(state[key], opened.state[key]);
  for (const name of foreign) assert.equal(fs.stat(`${PATH}/${name}`)?.size, bytes.length, name);
});
