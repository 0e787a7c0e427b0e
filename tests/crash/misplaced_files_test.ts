/** Files missing, swapped, older, or of another store; and what a refusal must leave alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  fromImage,
  takeImage,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { FIRST_LOG, leftByClose, leftByKill } from "../support/killed_store.ts";
import { SEGMENT_NAMES, withoutHints, writeSegments } from "../support/segmented_store.ts";
import { mustOpen, mustRefuse, problemsOf, read } from "../support/store_outcome.ts";

const TIMEOUT_MS = 120_000;

const SMALL = { segmentBytesMax: 4096 };

test("a missing segment is refused, whichever it is", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeSegments();
  for (const name of SEGMENT_NAMES) {
    await mustRefuse(withFile(image, name, undefined));
    await mustRefuse(withFile(withoutHints(image), name, undefined));
    assert.equal((await problemsOf(withFile(image, name, undefined))).length, 1);
  }
});

test(
  "an empty segment, and one of zeros or of other bytes, is refused",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image } = await writeSegments();
    for (const name of SEGMENT_NAMES) {
      for (
        const bytes of [new Uint8Array(0), new Uint8Array(4096), new Uint8Array(30).fill(0xf1)]
      ) {
        await mustRefuse(withFile(image, name, bytes));
      }
    }
  },
);

test("segments under each other's names are refused", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeSegments();
  for (const left of SEGMENT_NAMES) {
    for (const right of SEGMENT_NAMES) {
      if (left === right) continue;
      await mustRefuse(withFile(image, left, bytesOf(image, right)));
      const swapped = withFile(image, left, bytesOf(image, right));
      await mustRefuse(withFile(swapped, right, bytesOf(image, left)));
    }
  }
});

test("a segment of another store is refused", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeSegments();
  const other = await writeSegments();
  for (const name of SEGMENT_NAMES) {
    await mustRefuse(withFile(image, name, bytesOf(other.image, name)));
  }
});

test("files with names of their own are left alone", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeSegments();
  const foreign = new Uint8Array([1, 2, 3]);
  let more: DiskImage = image;
  for (const name of ["notes.txt", "1.log", "0000000000.log", "0000000001.log.bak", "9.tmp"]) {
    more = withFile(more, name, foreign);
  }
  const fs = fromImage(more);
  assert.deepEqual((await mustOpen(fs)).state, opened.state);
  assertUntouched(fs, more);
});

test("an older ACTIVE over a newer log is refused", { timeout: TIMEOUT_MS }, async () => {
  const before = await leftByClose((store) => store.set("old", "1"), SMALL);
  const after = await leftByKill(
    async (store) => {
      for (let index = 0; index < 60; index++) await store.set(`new ${index}`, "x".repeat(200));
    },
    SMALL,
    before,
  );
  await mustRefuse(withFile(after, "ACTIVE", bytesOf(before, "ACTIVE")));
});

test("an older ACTIVE over a log that was compacted since is refused, and nothing removed", {
  timeout: TIMEOUT_MS,
}, async () => {
  const before = await leftByClose(async (store) => {
    for (let index = 0; index < 60; index++) await store.set(`key ${index % 9}`, "x".repeat(200));
  }, SMALL);
  // Everything lies in segments that the older ACTIVE does not know; the newest holds no record.
  const after = await leftByClose((store) => store.compact(), SMALL, before);
  assert(!after.has(FIRST_LOG), "the old segments are gone");
  await mustRefuse(withFile(after, "ACTIVE", bytesOf(before, "ACTIVE")));
});

test("leftovers of a compaction stay while the log is refused: they may be what is needed", {
  timeout: TIMEOUT_MS,
}, async () => {
  const before = await leftByClose(async (store) => {
    for (let index = 0; index < 60; index++) await store.set(`key ${index % 9}`, "x".repeat(200));
  }, SMALL);
  const after = await leftByClose((store) => store.compact(), SMALL, before);
  // As after a crash that came before the inputs were removed.
  const crashed = new Map([...before, ...after]);
  assert.equal((await mustOpen(fromImage(crashed), { readOnly: true })).truncatedBytes, 0);
  const output = [...after.keys()].findLast((name) => name.endsWith(".log"))!;
  const damaged = withFile(
    withoutHints(crashed),
    output,
    withBitFlipped(bytesOf(after, output), 8 * 100),
  );
  await mustRefuse(damaged);
});

test(
  "a missing NODE_ID is not written while the log is refused",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image } = await writeSegments();
    const log = withBitFlipped(bytesOf(image, FIRST_LOG), 8 * 300);
    const damaged = withFile(withFile(withoutHints(image), FIRST_LOG, log), "NODE_ID", undefined);
    await mustRefuse(damaged);
  },
);

test("what a crash leaves of a compaction is removed once the log is sound", {
  timeout: TIMEOUT_MS,
}, async () => {
  const before = await leftByClose(async (store) => {
    for (let index = 0; index < 60; index++) await store.set(`key ${index % 9}`, "x".repeat(200));
  }, SMALL);
  const { state } = await mustOpen(fromImage(before));
  const after = await leftByClose((store) => store.compact(), SMALL, before);
  for (const active of [before, after]) {
    const crashed = withFile(new Map([...before, ...after]), "ACTIVE", bytesOf(active, "ACTIVE"));
    const fs = fromImage(withFile(crashed, "0000000099.hint.tmp", new Uint8Array(7)));
    const again = await leftByClose(
      async (store) => {
        assert.deepEqual((await read(store)).state, state);
      },
      SMALL,
      crashed,
    );
    assert.deepEqual((await mustOpen(fs)).state, state);
    const logs = (files: DiskImage) => [...files.keys()].filter((name) => name.endsWith(".log"));
    assert.deepEqual(logs(takeImage(fs)), logs(active).sort());
    assert.deepEqual(logs(again), logs(active).sort());
    assert(!takeImage(fs).has("0000000099.hint.tmp"));
  }
});

test("what was being written under a temporary name is removed, and nothing else", async () => {
  const { image, opened } = await writeSegments();
  const junk = Uint8Array.of(1, 2, 3);
  const names = ["ACTIVE.tmp", "NODE_ID.tmp", "CHECKPOINT.tmp", "notes.tmp", "CHECKPOINT.old"];
  const fs = fromImage(names.reduce((changed, name) => withFile(changed, name, junk), image));
  const { state } = await mustOpen(fs, { readOnly: true });
  assert.deepEqual(state, opened.state);
  assert.ok(names.every((name) => takeImage(fs).has(name)), "readOnly removes nothing");
  assert.deepEqual((await mustOpen(fs)).state, opened.state);
  const left = names.filter((name) => takeImage(fs).has(name));
  assert.deepEqual(left, ["notes.tmp", "CHECKPOINT.old"]);
});
