/** A record, or a batch, half of which reached the disk when the process was killed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SYNC_FRAME_BYTES } from "../../lib/format/control_record.ts";
import type { BatchOp } from "../../lib/store/types.ts";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  fromImage,
  withFile,
} from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import { FIRST_LOG, leftByKill } from "../support/killed_store.ts";
import { mustOpen, read } from "../support/store_outcome.ts";

const TIMEOUT_MS = 120_000;

const EARLIER = { alpha: "1", beta: "2", gamma: "3" };

async function writeEarlier(): Promise<DiskImage> {
  return await leftByKill(async (store) => {
    for (const [key, value] of Object.entries(EARLIER)) await store.set(key, value);
  });
}

/** Opens the image with its log cut to every length in a range, and says what was found. */
async function atEveryLength(
  image: DiskImage,
  from: number,
  check: (cut: DiskImage, length: number) => Promise<void>,
): Promise<void> {
  const log = bytesOf(image, FIRST_LOG);
  for (let length = from; length <= log.length; length++) {
    await check(withFile(image, FIRST_LOG, log.subarray(0, length)), length);
  }
}

/** Opens, goes on writing, is killed, and opens again: everything must be there. */
async function assertGoesOn(cut: DiskImage, expected: Record<string, string>): Promise<void> {
  const killed = await leftByKill(
    async (store) => {
      const { version, state } = await read(store);
      assert.deepEqual(state, expected);
      assert.equal((await store.set("after", "the crash")).version, version + 1);
      await store.set("beta", "overwritten");
    },
    {},
    cut,
  );
  const again = await mustOpen(fromImage(killed));
  assert.deepEqual(again.state, { ...expected, after: "the crash", beta: "overwritten" });
  assert.equal(again.truncatedBytes, 0, "nothing torn was left between old and new records");
}

test(
  "half a record, cut at every byte, is cut off, and writes go on",
  { timeout: TIMEOUT_MS },
  async () => {
    const before = await writeEarlier();
    const after = await leftByKill((store) => store.set("delta", "x".repeat(40)), {}, before);
    const log = bytesOf(after, FIRST_LOG);
    const last = framesOf(log).findLast(({ isMark }) => !isMark)!;
    let whole = 0;
    await atEveryLength(after, last.offset, async (cut, length) => {
      const isWhole = length >= last.end;
      const expected = isWhole ? { ...EARLIER, delta: "x".repeat(40) } : EARLIER;
      const reader = fromImage(cut);
      const seen = await mustOpen(reader, { readOnly: true });
      assert.deepEqual(seen.state, expected, `cut at ${length}`);
      assertUntouched(reader, cut);
      const torn = isWhole ? (length - last.end) % SYNC_FRAME_BYTES : length - last.offset;
      assert.equal(seen.truncatedBytes, torn);
      await assertGoesOn(cut, expected);
      if (isWhole) whole++;
    });
    assert(whole >= 1);
  },
);

test(
  "a batch cut at every byte is there as a whole or not at all",
  { timeout: TIMEOUT_MS },
  async () => {
    const before = await writeEarlier();
    const ops: BatchOp[] = [
      { op: "set", key: "delta", value: "4" },
      { op: "del", key: "alpha" },
      { op: "set", key: "beta", value: "22", ttl: 3_600_000 },
    ];
    const after = await leftByKill((store) => store.batch(ops), {}, before);
    const frames = framesOf(bytesOf(after, FIRST_LOG));
    const batch = frames.findLast(({ op }) => op === 3)!;
    const last = frames.findLast(({ isMark }) => !isMark)!;
    await atEveryLength(after, batch.offset, async (cut, length) => {
      const expected = length >= last.end ? { beta: "22", delta: "4", gamma: "3" } : EARLIER;
      assert.deepEqual((await mustOpen(fromImage(cut), { readOnly: true })).state, expected);
      await assertGoesOn(cut, expected);
    });
  },
);

test(
  "a batch with a hole in any of its frames is not there at all",
  { timeout: TIMEOUT_MS },
  async () => {
    const before = await writeEarlier();
    const ops: BatchOp[] = ["delta", "epsilon", "zeta"]
      .map((key) => ({ op: "set", key, value: "x".repeat(20) }));
    const after = await leftByKill((store) => store.batch(ops), {}, before);
    const log = bytesOf(after, FIRST_LOG);
    const frames = framesOf(log);
    const batch = frames.findLast(({ op }) => op === 3)!;
    // The mark behind the batch is whole: it speaks of what was synced before, not of the batch.
    for (const frame of frames.filter(({ offset, isMark }) => offset >= batch.offset && !isMark)) {
      const holed = log.slice();
      holed.fill(0, frame.offset, frame.end);
      const { state } = await mustOpen(fromImage(withFile(after, FIRST_LOG, holed)));
      assert.deepEqual(state, EARLIER, `a hole at ${frame.offset}`);
    }
  },
);

test(
  "a log cut inside the first record ever written opens empty",
  { timeout: TIMEOUT_MS },
  async () => {
    const after = await leftByKill((store) => store.set("first", "1"));
    const log = bytesOf(after, FIRST_LOG);
    const first = framesOf(log).find(({ op }) => op === 0)!;
    await atEveryLength(after, first.offset, async (cut, length) => {
      assert.deepEqual(
        (await mustOpen(fromImage(cut))).state,
        length >= first.end ? { first: "1" } : {},
      );
    });
  },
);

test("a torn tail longer than what is written next leaves nothing behind", {
  timeout: TIMEOUT_MS,
}, async () => {
  const before = await writeEarlier();
  // What is written next would otherwise cover what was not cut off.
  const after = await leftByKill((store) => store.set("delta", "x".repeat(5000)), {}, before);
  const log = bytesOf(after, FIRST_LOG);
  const last = framesOf(log).findLast(({ isMark }) => !isMark)!;
  for (const length of [300, 1000, 4000, last.end - last.offset - 1]) {
    const cut = withFile(after, FIRST_LOG, log.subarray(0, last.offset + length));
    await assertGoesOn(cut, EARLIER);
  }
});
