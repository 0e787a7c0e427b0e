/** Damage to closed segments, all of which was durable: with and without a hint that covers it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import {
  assertUntouched,
  bytesOf,
  fromImage,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import { FIRST_LOG } from "../support/killed_store.ts";
import { withoutHints, writeSegments } from "../support/segmented_store.ts";
import { mustOpen, mustRefuse, problemsOf, tryToOpen } from "../support/store_outcome.ts";

const TIMEOUT_MS = 120_000;

test("a closed segment cut at any byte is refused", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeSegments();
  const scanned = withoutHints(image);
  const log = bytesOf(image, FIRST_LOG);
  for (let length = 0; length < log.length; length++) {
    const cut = log.subarray(0, length);
    const hinted = length % 8 === 0;
    const damaged = withFile(hinted ? image : scanned, FIRST_LOG, cut);
    const fs = fromImage(damaged);
    const outcome = await tryToOpen(fs, { readOnly: length % 4 < 2 });
    assert(outcome instanceof KvError && outcome.code === "CorruptLog", `cut at ${length}`);
    assertUntouched(fs, damaged);
  }
});

test(
  "any bit of a closed segment flipped is found by scanning it",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image } = await writeSegments();
    const scanned = withoutHints(image);
    const log = bytesOf(image, FIRST_LOG);
    for (let bit = 0; bit < 8 * log.length; bit++) {
      const damaged = withFile(scanned, FIRST_LOG, withBitFlipped(log, bit));
      const fs = fromImage(damaged);
      const outcome = await tryToOpen(fs, { readOnly: bit % 2 === 0 });
      assert(outcome instanceof KvError && outcome.code === "CorruptLog", `bit ${bit}`);
      assertUntouched(fs, damaged);
    }
  },
);

test("behind a hint, damage is found by the read that meets it, and by verification", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  const log = bytesOf(image, FIRST_LOG);
  let foundByOpening = 0;
  let foundByReading = 0;
  for (let offset = 0; offset < log.length; offset++) {
    const damaged = withFile(image, FIRST_LOG, withBitFlipped(log, 8 * offset + (offset * 3) % 8));
    assert.notDeepEqual(await problemsOf(damaged), [], `byte ${offset} passes verification`);
    // Opening believes the hint; whatever it shows must be right, or refused when it is read.
    const outcome = await tryToOpen(fromImage(damaged));
    if (!(outcome instanceof KvError)) {
      assert.deepEqual(outcome.state, opened.state, `byte ${offset}`);
      continue;
    }
    assert.equal(outcome.code, "CorruptLog", `byte ${offset}`);
    assert.equal(outcome.fileId, 1);
    if (outcome.message.startsWith("The record at")) foundByReading++;
    else foundByOpening++;
  }
  assert(foundByReading > 0 && foundByOpening > 0, "both were tried");
});

test("the last closed segment is no exception", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeSegments();
  const scanned = withoutHints(image);
  assert.deepEqual((await mustOpen(fromImage(scanned))).state, opened.state);
  const log = bytesOf(image, "0000000002.log");
  for (const frame of framesOf(log)) {
    await mustRefuse(
      withFile(scanned, "0000000002.log", withBitFlipped(log, 8 * frame.offset + 90)),
    );
    if (frame.end < log.length) {
      await mustRefuse(withFile(scanned, "0000000002.log", log.subarray(0, frame.end)));
    }
  }
});
