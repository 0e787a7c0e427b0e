/** Random and mutated files under a whole store: CorruptLog, Unsupported, or a clean tail. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  fromImage,
  withFile,
} from "../support/disk_image.ts";
import { fuzz, longestAllocation, mutated, withLie } from "../support/fuzzing.ts";
import { FIRST_LOG, leftByKill } from "../support/killed_store.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { writeSegments } from "../support/segmented_store.ts";
import { mustOpen, type Opened, problemsOf, tryToOpen } from "../support/store_outcome.ts";

const TIMEOUT_MS = 3_600_000;
const REFUSALS = ["CorruptLog", "Unsupported"];

/** States after each version of a small store, and its files after the last. */
async function writeLog(): Promise<{ image: DiskImage; states: Map<number, Opened["state"]> }> {
  const states = new Map<number, Opened["state"]>([[0, {}]]);
  const state: Opened["state"] = {};
  const image = await leftByKill(async (store) => {
    for (let index = 0; index < 12; index++) {
      const key = `key ${index % 5}`;
      if (index % 4 === 3) {
        const { version } = await store.batch([
          { op: "del", key },
          { op: "set", key: "b", value: `${index}` },
        ]);
        delete state[key];
        state["b"] = `${index}`;
        states.set(version, { ...state });
      } else {
        const { version } = await store.set(key, "v".repeat(index));
        state[key] = "v".repeat(index);
        states.set(version, { ...state });
      }
    }
  });
  return { image, states };
}

/** Opens a damaged store in both ways. Refused, it is untouched; opened, it opens again the same. */
async function tryBothWays(image: DiskImage): Promise<Opened | KvError> {
  const reader = fromImage(image);
  const seen = await tryToOpen(reader, { readOnly: true });
  assertUntouched(reader, image);
  const fs = fromImage(image);
  const outcome = await tryToOpen(fs);
  if (outcome instanceof KvError) {
    assert(REFUSALS.includes(outcome.code), `${outcome.code}: ${outcome.message}`);
    assert(seen instanceof KvError, "refused for writing, but not for reading");
    assertUntouched(fs, image);
  } else {
    assert(!(seen instanceof KvError), `refused for reading: ${String(seen)}`);
    assert.deepEqual(seen.state, outcome.state);
    const again = await mustOpen(fs);
    assert.deepEqual(again.state, outcome.state);
    assert.equal(again.truncatedBytes, 0);
  }
  await problemsOf(image);
  return outcome;
}

test("a mutated log", { timeout: TIMEOUT_MS }, async () => {
  const { image, states } = await writeLog();
  let opened = 0;
  await fuzz(500, async (random) => {
    const log = mutated(bytesOf(image, FIRST_LOG), random);
    const outcome = await tryBothWays(withFile(image, FIRST_LOG, log));
    if (outcome instanceof KvError) return;
    opened++;
    // Bytes lost from the middle or the end may leave an earlier state, but never one that was not.
    assert.deepEqual(outcome.state, states.get(outcome.version));
  });
  assert(opened > 0, "some of them open");
});

test("a log of random bytes", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeLog();
  await fuzz(60, async (random) => {
    const log = random.bytes(random.below(5000));
    const outcome = await tryBothWays(withFile(image, FIRST_LOG, log));
    assert(outcome instanceof KvError && outcome.code === "CorruptLog");
  });
});

test("any file of a larger store mutated", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeSegments();
  const names = [...image.keys()];
  await fuzz(250, async (random) => {
    const name = random.pick(names);
    const damaged = withFile(image, name, mutated(bytesOf(image, name), random));
    const outcome = await tryToOpen(fromImage(damaged));
    if (outcome instanceof KvError) {
      assert(REFUSALS.includes(outcome.code), `${name}: ${outcome.code}: ${outcome.message}`);
      assert(!name.endsWith(".hint"), `a hint file is never needed: ${outcome.message}`);
    } else if (name !== "0000000003.log") {
      assert.deepEqual(outcome.state, opened.state, name);
    }
    await problemsOf(damaged);
  });
});

test("files that lie, with checksums that hold: no crash, no hang", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image } = await writeLog();
  await fuzz(300, async (random) => {
    const log = withLie(bytesOf(image, FIRST_LOG), random);
    const fs = fromImage(withFile(image, FIRST_LOG, log));
    const outcome = await tryToOpen(fs);
    if (outcome instanceof KvError) assert(REFUSALS.includes(outcome.code), outcome.message);
    await problemsOf(withFile(image, FIRST_LOG, log));
  });
});

test(
  "nothing long is allocated for lengths that are not true",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image } = await writeLog();
    const random = new SeededRandom(1);
    const longest = await longestAllocation(async () => {
      for (let count = 0; count < 100; count++) {
        const log = bytesOf(image, FIRST_LOG);
        const damaged = random.chance(0.5) ? withLie(log, random) : mutated(log, random);
        await tryToOpen(fromImage(withFile(image, FIRST_LOG, damaged)));
      }
    });
    // The writer's own buffers are the longest there are.
    assert(longest <= 2 << 20, `${longest} bytes were allocated`);
  },
);
