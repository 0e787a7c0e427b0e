/** What a file system may show behind the last thing written: zeros, garbage, bytes of other files. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bytesOf,
  type DiskImage,
  fromImage,
  joined,
  takeImage,
  withFile,
} from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import { FIRST_LOG, leftByClose, leftByKill } from "../support/killed_store.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { mustOpen } from "../support/store_outcome.ts";
import { openInMemory } from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;

const STATE = { alpha: "1", beta: "2", delta: "44", gamma: "3" };
const LENGTHS = [1, 4, 26, 27, 30, 31, 46, 47, 511, 512, 1024, 4096, 8192, 3 * 4096];

/** A log that ends with a mark, so that the next record follows it at once. */
async function writeLog(): Promise<DiskImage> {
  const image = await leftByKill(async (store) => {
    await store.set("alpha", "1");
    await store.batch([
      { op: "set", key: "beta", value: "2" },
      { op: "set", key: "delta", value: "4" },
    ]);
    await store.set("gamma", "3");
    await store.set("delta", "44");
  });
  return await leftByKill(async () => {}, {}, image);
}

/** The log with `tail` behind it must open as if the tail were not there, twice, and go on. */
async function assertTailIsCut(image: DiskImage, tail: Uint8Array, what: string): Promise<void> {
  const log = bytesOf(image, FIRST_LOG);
  const fs = fromImage(withFile(image, FIRST_LOG, joined(log, tail)));
  const { state, truncatedBytes } = await mustOpen(fs);
  assert.deepEqual(state, STATE, what);
  // Zeros are space that was kept ready: nothing was torn.
  const isSpace = tail.every((byte) => byte === 0);
  assert.equal(truncatedBytes, isSpace ? 0 : tail.length, what);
  if (isSpace) assert.equal(bytesOf(takeImage(fs), FIRST_LOG).length, log.length, what);
  const again = await mustOpen(fs);
  assert.deepEqual(again.state, STATE, what);
  assert.equal(again.truncatedBytes, 0, what);
}

test("zeros behind the log are cut off", { timeout: TIMEOUT_MS }, async () => {
  const image = await writeLog();
  for (const length of LENGTHS) {
    await assertTailIsCut(image, new Uint8Array(length), `${length} zeros`);
  }
});

test("zeros behind a log that was closed are cut off before it is appended to", async () => {
  const image = await leftByClose(async (store) => {
    for (const [key, value] of Object.entries(STATE)) await store.set(key, value);
  });
  const log = bytesOf(image, FIRST_LOG);
  for (const length of LENGTHS) {
    const fs = fromImage(withFile(image, FIRST_LOG, joined(log, new Uint8Array(length))));
    const store = await openInMemory({}, fs);
    assert.equal(bytesOf(takeImage(fs), FIRST_LOG).length, log.length, `${length} zeros`);
    await store.close();
    assert.deepEqual((await mustOpen(fs)).state, STATE);
  }
});

test("garbage behind the log is cut off", { timeout: TIMEOUT_MS }, async () => {
  const image = await writeLog();
  const random = new SeededRandom(1);
  for (const length of LENGTHS) {
    await assertTailIsCut(image, random.bytes(length), `${length} random bytes`);
    await assertTailIsCut(image, new Uint8Array(length).fill(0xff), `${length} bytes of ones`);
    await assertTailIsCut(image, new Uint8Array(length).fill(0xf1), `${length} bytes like MAGIC`);
  }
});

test(
  "a torn record with zeros or garbage behind it is cut off",
  { timeout: TIMEOUT_MS },
  async () => {
    const image = await writeLog();
    const random = new SeededRandom(2);
    const longer = await leftByKill((store) => store.set("epsilon", "5".repeat(600)), {}, image);
    const log = bytesOf(image, FIRST_LOG);
    const torn = bytesOf(longer, FIRST_LOG).subarray(log.length, -1);
    for (let length = 1; length < torn.length; length += 13) {
      const part = torn.subarray(0, length);
      await assertTailIsCut(image, joined(part, new Uint8Array(4096)), `${length} bytes, zeros`);
      await assertTailIsCut(image, joined(part, random.bytes(512)), `${length} bytes, garbage`);
    }
  },
);

test("old frames behind the log, whole and valid in themselves, are cut off", {
  timeout: TIMEOUT_MS,
}, async () => {
  const image = await writeLog();
  const log = bytesOf(image, FIRST_LOG);
  const frames = framesOf(log);
  for (const { offset, end, op } of frames) {
    await assertTailIsCut(image, log.slice(offset, end), `op ${op}, the frame at ${offset}`);
    await assertTailIsCut(image, log.slice(offset), `everything from ${offset} on`);
  }
  await assertTailIsCut(image, joined(log, log), "two copies of the log");
});

test("marks inside a torn value are no marks of this log", { timeout: TIMEOUT_MS }, async () => {
  const image = await writeLog();
  // A longer log of the same file id: its marks call more durable than this log is long.
  const other = await leftByKill(async (store) => {
    for (let index = 0; index < 12; index++) await store.set(`key ${index}`, "x".repeat(30));
  });
  const otherLog = bytesOf(other, FIRST_LOG);
  const copy = joined(bytesOf(image, FIRST_LOG), otherLog, otherLog);
  const after = await leftByKill((store) => store.set("copy", copy), {}, image);
  const log = bytesOf(image, FIRST_LOG);
  const torn = bytesOf(after, FIRST_LOG).subarray(log.length);
  for (let length = 1; length < 27 + 4 + copy.length; length += 61) {
    await assertTailIsCut(image, torn.subarray(0, length), `cut at ${length}`);
  }
  // Whole, it is a value like any other.
  const { state } = await mustOpen(fromImage(after));
  assert.equal(state["copy"]!.length, new TextDecoder().decode(copy).length);
});
