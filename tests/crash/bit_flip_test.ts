/** Every bit of a small log flipped, one at a time: never a wrong value, never a silent loss. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  equalBytes,
  fromImage,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import { FIRST_LOG, leftByClose, leftByKill } from "../support/killed_store.ts";
import { mustRefuse, problemsOf, tryToOpen } from "../support/store_outcome.ts";

const TIMEOUT_MS = 120_000;

/** Groups committed one by one, so that each is covered by the mark of the next. */
async function writeGroups(): Promise<{ image: DiskImage; states: Record<string, string>[] }> {
  const states: Record<string, string>[] = [{}];
  const image = await leftByKill(async (store) => {
    await store.set("a", "1");
    states.push({ a: "1" });
    await store.batch([{ op: "set", key: "b", value: "2" }, { op: "del", key: "a" }]);
    states.push({ b: "2" });
    await store.set("c", "3", { ttl: 3_600_000 });
    states.push({ b: "2", c: "3" });
    await store.delete("b");
    states.push({ c: "3" });
  });
  return { image, states };
}

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
