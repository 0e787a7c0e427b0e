/** The model that crash runs are held against: it must find fault with each kind of broken promise. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvStore } from "../../lib/store/store.ts";
import { SteppingClock } from "../support/stepping_clock.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { openInMemory } from "../support/test_store.ts";
import { type ModelOp, WriteHistory } from "../support/write_history.ts";

const NOW = 1_700_000_000_000;

/** Operations in one step: a key and its value, a key that is deleted, or several as a batch. */
type Step = Record<string, string | undefined>;

function opsOf(step: Step, expiresAt = 0): ModelOp[] {
  return Object.entries(step).map(([key, value]) =>
    value === undefined
      ? { op: "del", key }
      : { op: "set", key, value: new TextEncoder().encode(value), expiresAt }
  );
}

/** A store that was given these. */
async function storeWith(steps: readonly Step[]): Promise<KvStore> {
  const store = await openInMemory({ clock: new SteppingClock(new SeededRandom(1), NOW) });
  for (const step of steps) {
    await store.batch(
      opsOf(step).map((op) => op.op === "del" ? op : { op: "set", key: op.key, value: op.value }),
    );
  }
  return store;
}

/** What was asked of a store of which the first three writes were acknowledged. */
function history(): WriteHistory {
  const history = new WriteHistory();
  for (const step of WRITTEN) history.issue(opsOf(step));
  history.promise(3);
  return history;
}

const WRITTEN: readonly Step[] = [
  { a: "1" },
  { b: "2" },
  { a: undefined },
  { b: "4", c: "5" },
  { d: "6" },
];

const sound: Record<string, Step[]> = {
  "everything": [...WRITTEN],
  "nothing but what was acknowledged": WRITTEN.slice(0, 3),
  "the batch that was not acknowledged as well": WRITTEN.slice(0, 4),
};

const broken: Record<string, [steps: Step[], message: RegExp]> = {
  "an acknowledged write is lost": [WRITTEN.slice(0, 2), /but 3 was acknowledged/],
  "everything is lost": [[], /but 3 was acknowledged/],
  "half of a batch is there": [[...WRITTEN.slice(0, 3), { b: "4" }], /in the midst of a batch/],
  "there is more than was written": [[...WRITTEN, { e: "7" }], /behind all that was issued/],
  "a value was never written": [[{ a: "1" }, { b: "9" }, { a: undefined }], /b v2 until 0: 9/],
  "a key was never written": [[{ a: "1" }, { b: "2" }, { e: "3" }], /e v3/],
  "a delete is undone": [[{ a: "1" }, { b: "0" }, { b: "2" }], /a v1/],
  "a write is missing before a later one": [
    [{ a: "1" }, { b: "2" }, { a: undefined }, { x: "" }, { c: "5" }, { d: "6" }],
    /b v4/,
  ],
  "an older value is there": [
    [{ a: "1" }, { b: "2" }, { a: undefined }, { c: "" }, { c: "5" }],
    /b v2/,
  ],
};

for (const [name, steps] of Object.entries(sound)) {
  test(`a crash may leave: ${name}`, async () => {
    await using store = await storeWith(steps);
    await history().check(store, NOW);
  });
}

for (const [name, [steps, message]] of Object.entries(broken)) {
  test(`no crash may leave a store in which ${name}`, async () => {
    await using store = await storeWith(steps);
    await assert.rejects(() => history().check(store, NOW), message);
  });
}

test("no crash may leave a value that has expired", async () => {
  await using store = await storeWith([{ a: "1" }]);
  const history = new WriteHistory();
  history.issue(opsOf({ a: "1" }, NOW - 1));
  history.seeTime(NOW);
  await assert.rejects(() => history.check(store, NOW), /a v1/);
});

test("what was found once must be found again", async () => {
  await using first = await storeWith(WRITTEN);
  await using second = await storeWith(WRITTEN.slice(0, 4));
  const found = history();
  await found.check(first, NOW);
  await found.check(first, NOW);
  await assert.rejects(() => found.check(second, NOW), /but 6 was acknowledged/);
});
