/** Every bit of a small log flipped, one at a time: never a wrong value, never a silent loss. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { SEGMENT_FRAME_BYTES } from "../../lib/format/control_record.ts";
import {
  assertUntouched,
  bytesOf,
  equalBytes,
  fromImage,
  joined,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import { writeGroups } from "../support/grouped_log.ts";
import { FIRST_LOG, leftByClose } from "../support/killed_store.ts";
import { mustOpen, mustRefuse, problemsOf, tryToOpen } from "../support/store_outcome.ts";

const TIMEOUT_MS = 120_000;

test("flipped below the durable mark, any bit is found; above it, the tail is cut", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, states } = await writeGroups();
  const log = bytesOf(image, FIRST_LOG);
  const frames = framesOf(log);
  // The last group is one record and its mark; that mark speaks of what was synced before it.
  const [lastRecord, lastMark] = frames.slice(-2);
  assert(lastMark!.isMark && !lastRecord!.isMark);
  for (let bit = 0; bit < 8 * log.length; bit++) {
    const offset = bit >>> 3;
    const damaged = withFile(image, FIRST_LOG, withBitFlipped(log, bit));
    const what = `bit ${bit & 7} of byte ${offset}`;
    const readOnly = (bit & 7) === offset % 8;
    const fs = fromImage(damaged);
    const outcome = await tryToOpen(fs, { readOnly });
    if (offset < lastRecord!.offset) {
      assert(outcome instanceof KvError && outcome.code === "CorruptLog", `${what} was not found`);
      assertUntouched(fs, damaged);
      assert(
        outcome.offset !== undefined && outcome.offset <= offset,
        `${what} is said to be there`,
      );
    } else {
      assert(!(outcome instanceof KvError), `${what}: ${String(outcome)}`);
      const expected = offset < lastMark!.offset ? states.at(-2) : states.at(-1);
      assert.deepEqual(outcome.state, expected, what);
      if (readOnly) assertUntouched(fs, damaged);
    }
  }
});

test("verification finds what opening finds", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeGroups();
  const log = bytesOf(image, FIRST_LOG);
  const lastRecord = framesOf(log).at(-2)!;
  assert.deepEqual(await problemsOf(image), []);
  for (let offset = 0; offset < log.length; offset++) {
    const bit = 8 * offset + (offset * 5) % 8;
    const problems = await problemsOf(withFile(image, FIRST_LOG, withBitFlipped(log, bit)));
    assert.equal(
      problems.length,
      offset < lastRecord.offset ? 1 : 0,
      `byte ${offset}: ${problems}`,
    );
  }
});

test("in a log that was closed, any bit is found, those of the last mark as well", {
  timeout: TIMEOUT_MS,
}, async () => {
  const image = await leftByClose(async (store) => {
    await store.set("a", "1");
    await store.set("b", "2");
  });
  const log = bytesOf(image, FIRST_LOG);
  for (let offset = 0; offset < log.length; offset++) {
    const bit = 8 * offset + (offset * 3) % 8;
    await mustRefuse(withFile(image, FIRST_LOG, withBitFlipped(log, bit)));
  }
});

test("a log that was closed, cut at any byte, is refused", { timeout: TIMEOUT_MS }, async () => {
  const image = await leftByClose(async (store) => {
    await store.set("a", "1");
    await store.set("b", "2");
  });
  const log = bytesOf(image, FIRST_LOG);
  for (let length = 0; length < log.length; length++) {
    const cut = withFile(image, FIRST_LOG, log.subarray(0, length));
    await mustRefuse(cut);
    assert.equal((await problemsOf(cut)).length, 1, `cut at ${length} passes verification`);
  }
});

test("two flips in different groups are found as well", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeGroups();
  const log = bytesOf(image, FIRST_LOG);
  const records = framesOf(log).filter(({ op }) => op <= 2);
  for (const first of records) {
    for (const second of records) {
      if (second.offset <= first.offset || second === records.at(-1)) continue;
      const twice = withBitFlipped(withBitFlipped(log, 8 * first.offset + 80), 8 * second.end - 1);
      await mustRefuse(withFile(image, FIRST_LOG, twice));
    }
  }
});

test("holes below the durable mark are found", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeGroups();
  const log = bytesOf(image, FIRST_LOG);
  const last = framesOf(log).at(-2)!;
  for (let offset = 0; offset < last.offset; offset += 3) {
    const holed = log.slice();
    holed.fill(0, offset, offset + 5);
    if (!equalBytes(holed, log)) await mustRefuse(withFile(image, FIRST_LOG, holed));
  }
});

test("a log that was not closed, cut at any byte, is what its first groups had left", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, states, ends } = await writeGroups();
  assert.equal(ends.length, states.length - 1);
  const log = bytesOf(image, FIRST_LOG);
  for (let length = 0; length < log.length; length++) {
    const cut = log.subarray(0, length);
    const zeroed = joined(cut, new Uint8Array(log.length - length));
    for (const damaged of [cut, zeroed]) {
      const files = withFile(image, FIRST_LOG, damaged);
      if (length < SEGMENT_FRAME_BYTES) {
        await mustRefuse(files);
        continue;
      }
      const expected = states[ends.filter((end) => end <= length).length];
      const reader = fromImage(files);
      assert.deepEqual((await mustOpen(reader, { readOnly: true })).state, expected, `${length}`);
      assertUntouched(reader, files);
      const fs = fromImage(files);
      assert.deepEqual((await mustOpen(fs)).state, expected, `${length}`);
      assert.equal((await mustOpen(fs)).truncatedBytes, 0);
      assert.deepEqual(await problemsOf(files), []);
    }
  }
});
