/** The event loop looks for more before it sleeps, as long as that pays. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BusyPolling } from "../../lib/server/tcp/busy_polling.ts";
import { TestClock } from "../support/test_clock.ts";

/** Turns that follow one with a chunk, before the loop may sleep. */
const TURNS = 41;

class Loop {
  readonly #clock = new TestClock({ manualDefer: true });
  readonly #polling = new BusyPolling(this.#clock);

  chunk(): void {
    this.#polling.came();
  }

  /** One turn; whether the loop went on without sleeping. */
  turn(): boolean {
    return this.#clock.runDeferred() > 0;
  }

  /** Turns that follow until the loop may sleep. */
  turnsLeft(): number {
    let turns = 0;
    while (turns < 1000 && this.turn()) turns++;
    return turns;
  }

  /** A chunk comes after an empty turn, so many times. */
  find(count: number): void {
    this.chunk();
    this.turn();
    for (let each = 0; each < count; each++) {
      this.turn();
      this.chunk();
      this.turn();
    }
  }

  /** How many more chunks, one at a time, the loop looks for more behind, before it gives up. */
  looks(): number {
    let looks = 0;
    for (;;) {
      this.chunk();
      if (this.turnsLeft() === 0) return looks;
      looks++;
    }
  }
}

test("busy polling: the loop goes on for 40 turns behind the last chunk", () => {
  const loop = new Loop();
  assert.equal(loop.turn(), false);
  loop.chunk();
  for (let turn = 0; turn < 40; turn++) assert.equal(loop.turn(), true);
  loop.chunk();
  loop.chunk();
  assert.equal(loop.turn(), true);
  assert.equal(loop.turnsLeft(), TURNS);
  assert.equal(loop.turn(), false);
});

test("busy polling: after looking in vain it sleeps for 256 chunks, and tries again", () => {
  const loop = new Loop();
  for (let round = 0; round < 3; round++) {
    loop.chunk();
    assert.equal(loop.turnsLeft(), TURNS + 1);
    for (let chunk = 0; chunk < 256; chunk++) {
      loop.chunk();
      assert.equal(loop.turn(), false);
    }
  }
  loop.find(4);
  loop.turnsLeft();
  assert.equal(loop.looks(), 1, "what it cost before is forgotten");
});

test("busy polling: four finds pay for looking in vain once", () => {
  for (const [finds, looks] of [[0, 0], [3, 0], [4, 1], [7, 1], [8, 2], [16, 4], [100, 4]]) {
    const loop = new Loop();
    loop.find(finds!);
    loop.turnsLeft();
    assert.equal(loop.looks(), looks, `${finds}`);
  }
});

test("busy polling: what comes in every turn was not found by it", () => {
  const loop = new Loop();
  for (let turn = 0; turn < 100; turn++) {
    loop.chunk();
    assert.equal(loop.turn(), true);
  }
  assert.equal(loop.turnsLeft(), TURNS);
  assert.equal(loop.looks(), 0);
});
