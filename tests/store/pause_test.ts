/** Slices of background work: how long they are, and how often they come. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BackgroundSlices, Slices } from "../../lib/store/pause.ts";
import { turn } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

/** How many turns of `turnMs` each a pause takes. */
async function turnsOf(slices: Slices, clock: TestClock, turnMs: number): Promise<number> {
  let isOver = false;
  const pause = slices.pause().then(() => void (isOver = true));
  let turns = 0;
  for (; !isOver; turns++) {
    assert(turns < 1000, "a pause ends");
    clock.advance(turnMs);
    assert.equal(clock.runDeferred(), 1);
    await turn();
  }
  await pause;
  return turns;
}

test("a slice is over after its time, and a pause begins the next", async () => {
  const clock = new TestClock({ manualDefer: true });
  const slices = new Slices(clock, 2);
  clock.advance(1.9);
  assert(!slices.over);
  clock.advance(0.1);
  assert(slices.over);
  assert.equal(await turnsOf(slices, clock, 5), 1);
  assert(!slices.over);
  clock.advance(2);
  assert(slices.over);
});

test("background work has a quarter of a busy event loop, and all of an idle one", async () => {
  const clock = new TestClock({ manualDefer: true });
  const slices = new BackgroundSlices(clock, () => "calm");
  clock.advance(0.1);
  assert(slices.over);
  assert.equal(await turnsOf(slices, clock, 0), 1);
  assert.equal(await turnsOf(slices, clock, 0.01), 1);
  assert.equal(await turnsOf(slices, clock, 0.07), 5);
  assert.equal(await turnsOf(slices, clock, 0.16), 2);
});

test("background work has longer slices where others have long turns, up to a limit", async () => {
  for (
    const [urgency, turnMs, sliceMs] of [
      ["calm", 0.01, 0.1],
      ["calm", 1.2, 0.4],
      ["calm", 100, 4],
      ["late", 0.05, 0.1],
      ["late", 1.2, 1.2],
      ["late", 100, 4],
      ["urgent", 0.05, 0.1],
      ["urgent", 1.2, 2.4],
      ["urgent", 100, 16],
    ] as const
  ) {
    const clock = new TestClock({ manualDefer: true });
    const slices = new BackgroundSlices(clock, () => urgency);
    await turnsOf(slices, clock, turnMs);
    clock.advance(sliceMs * 0.99);
    assert(!slices.over, `${turnMs} ms`);
    clock.advance(sliceMs * 0.02);
    assert(slices.over, `${turnMs} ms`);
  }
});

test("background work that piles up has its slice in every turn", async () => {
  const clock = new TestClock({ manualDefer: true });
  const slices = new BackgroundSlices(clock, () => "late");
  for (let count = 0; count < 3; count++) assert.equal(await turnsOf(slices, clock, 0.05), 1);
});
