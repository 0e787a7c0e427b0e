/** Cuts long work into slices, so that the event loop never waits long. */

import type { Clock } from "../clock.ts";

/** Reading the clock costs a tenth of what work on so many records does, or less. */
export const RECORDS_BETWEEN_CLOCK_READINGS = 16;

/** Slices of work that nobody waits for: each request that comes meanwhile waits for one, or a few. */
const BACKGROUND_SLICE_MS = 0.1;
/** After a slice others have so many times as long, if they need it. */
const OTHERS_SHARE = 3;
/** A turn of the event loop as short as this was needed by nobody. */
const IDLE_TURN_MS = 0.02;

/** Measures how long the current slice of work has taken, and ends it in time. */
export class Slices {
  #clock: Clock;
  #sliceMs: number;
  #deadline: number;

  constructor(clock: Clock, sliceMs: number) {
    this.#clock = clock;
    this.#sliceMs = sliceMs;
    this.#deadline = clock.monotonic() + sliceMs;
  }

  /** Whether it is time to call {@link pause}. */
  get over(): boolean {
    return this.#clock.monotonic() >= this.#deadline;
  }

  /** Lets everything else that waits have its turn, then begins the next slice. */
  async pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.defer(resolve));
    this.#deadline = this.#clock.monotonic() + this.#sliceMs;
  }
}

/** Slices of work that nobody waits for: short ones, and few while the event loop is busy. */
export class BackgroundSlices extends Slices {
  #time: () => number;
  #isLate: () => boolean;

  /** While `isLate` says that work piles up, there is a slice in every turn of the event loop. */
  constructor(clock: Clock, isLate: () => boolean) {
    super(clock, BACKGROUND_SLICE_MS);
    this.#time = () => clock.monotonic();
    this.#isLate = isLate;
  }

  /** As {@link Slices.pause}; it takes several turns of the event loop while others need them. */
  override async pause(): Promise<void> {
    if (this.#isLate()) return await super.pause();
    let turnEnd = this.#time();
    const othersEnd = turnEnd + OTHERS_SHARE * BACKGROUND_SLICE_MS;
    for (let turnMs = Infinity; turnMs > IDLE_TURN_MS && turnEnd < othersEnd;) {
      const turnBegin = turnEnd;
      await super.pause();
      turnEnd = this.#time();
      turnMs = turnEnd - turnBegin;
    }
  }
}
