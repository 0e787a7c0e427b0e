/** Hint files damaged in every way: never needed, never believed when wrong, and written anew. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  fromImage,
  joined,
  takeImage,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { HINT_NAMES, withoutHints, writeSegments } from "../support/segmented_store.ts";
import { mustOpen, type Opened, problemsOf, read } from "../support/store_outcome.ts";
import { openInMemory, turn } from "../support/test_store.ts";

const HINT = HINT_NAMES[0]!;
const TIMEOUT_MS = 120_000;

/** The store must open as if nothing were wrong, by reading the segment. */
async function assertNotBelieved(image: DiskImage, opened: Opened, what: string): Promise<void> {
  const fs = fromImage(image);
  const found = await mustOpen(fs, { readOnly: true });
  assert.deepEqual(found.state, opened.state, what);
  assert.equal(found.hints, HINT_NAMES.length - 1, `${what}: the hint was believed`);
  assertUntouched(fs, image);
}

test("a hint file cut at any byte is not believed", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeSegments();
  const hint = bytesOf(image, HINT);
  for (let length = 0; length < hint.length; length++) {
    const cut = withFile(image, HINT, hint.subarray(0, length));
    await assertNotBelieved(cut, opened, `cut at ${length}`);
    if (length % 16 === 0) assert.equal((await problemsOf(cut)).length, 1);
  }
});

test("a hint file with any bit flipped is not believed", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeSegments();
  const hint = bytesOf(image, HINT);
  for (let bit = 0; bit < 8 * hint.length; bit++) {
    const flipped = withFile(image, HINT, withBitFlipped(hint, bit));
    await assertNotBelieved(flipped, opened, `bit ${bit}`);
    if (bit % 16 === 0) assert.equal((await problemsOf(flipped)).length, 1);
  }
});

test("hint files of other segments, of older states, and other files are not believed", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  const hint = bytesOf(image, HINT);
  const others: Record<string, Uint8Array> = {
    "empty": new Uint8Array(0),
    "zeros": new Uint8Array(hint.length),
    "longer": joined(hint, new Uint8Array(1)),
    "doubled": joined(hint, hint),
    "that of the next segment": bytesOf(image, HINT_NAMES[1]!),
    "the segment itself": bytesOf(image, "0000000001.log"),
    "ACTIVE": bytesOf(image, "ACTIVE"),
  };
  for (const [what, bytes] of Object.entries(others)) {
    await assertNotBelieved(withFile(image, HINT, bytes), opened, what);
  }
});

test("the hint of another store's segment, of the same length, is not believed", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  const lengthOf = (image: DiskImage) => bytesOf(image, HINT).length;
  let other = await writeSegments();
  // The same work leaves files of the same length, unless one hint file was written so late that it
  // leaves out what had been overwritten by then. Node ids and times of expiry differ.
  for (let tries = 0; lengthOf(other.image) !== lengthOf(image); tries++) {
    assert(tries < 100, "the same work leaves files of the same length");
    other = await writeSegments();
  }
  await assertNotBelieved(withFile(image, HINT, bytesOf(other.image, HINT)), opened, "other");
});

test("a missing or damaged hint file is written anew", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeSegments();
  const hint = bytesOf(image, HINT);
  for (const changed of [undefined, hint.subarray(0, 50), withBitFlipped(hint, 700)]) {
    const fs = fromImage(withFile(image, HINT, changed));
    const store = await openInMemory({}, fs);
    assert.deepEqual((await read(store)).state, opened.state);
    for (let turns = 0; turns < 50; turns++) await turn();
    await store.close();
    assert.deepEqual(await problemsOf(takeImage(fs)), []);
    const again = await mustOpen(fs);
    assert.deepEqual(again.state, opened.state);
    assert.equal(again.hints, HINT_NAMES.length);
  }
});

test(
  "with all hint files or with none, the store is the same",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image, opened } = await writeSegments();
    const hinted = await openInMemory({}, fromImage(image));
    const scanned = await openInMemory({ readOnly: true }, fromImage(withoutHints(image)));
    assert.deepEqual((await read(hinted)).state, opened.state);
    assert.deepEqual((await read(scanned)).state, opened.state);
    assert.equal(hinted.stats().replay.hints, HINT_NAMES.length);
    assert.equal(scanned.stats().replay.hints, 0);
    for (const figure of ["keys", "version", "totalBytes", "aliveBytes", "deadBytes"] as const) {
      assert.equal(hinted.stats()[figure], scanned.stats()[figure], figure);
    }
    await hinted.close();
    await scanned.close();
  },
);
