/** Cuts long work into slices, so that the event loop never waits long. */

import type { Clock } from "../clock.ts";

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
