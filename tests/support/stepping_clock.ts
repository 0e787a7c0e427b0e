/** A test clock on which work takes time: slices of it end now and then, as on a busy machine. */

import type { SeededRandom } from "./seeded_random.ts";
import { TestClock } from "./test_clock.ts";

const STEP_PROBABILITY = 0.3;
const STEP_MS = 2;

/** Its monotonic time moves by being read; its wall clock moves only when a test says so. */
export class SteppingClock extends TestClock {
  readonly #random: SeededRandom;
  readonly #later: ((task: () => void) => void) | undefined;
  #steppedMs = 0;

  /** With `later`, what the store defers goes there instead of to the event loop. */
  constructor(random: SeededRandom, nowMs: number, later?: (task: () => void) => void) {
    super({ nowMs });
    this.#random = random;
    this.#later = later;
  }

  override monotonic(): number {
    if (this.#random.chance(STEP_PROBABILITY)) this.#steppedMs += STEP_MS;
    return super.monotonic() + this.#steppedMs;
  }

  override defer(task: () => void): void {
    if (this.#later === undefined) super.defer(task);
    else this.#later(task);
  }
}
