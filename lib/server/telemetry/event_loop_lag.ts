/**
 * How late the event loop is: a timer looks at the clock every so often. It runs only while
 * somebody scrapes, and stops by itself some time after the last scrape.
 */

import type { Clock } from "../../clock.ts";
import { Distribution, SECONDS_BOUNDS } from "./distribution.ts";

const SAMPLE_MS = 100;
const SAMPLES_AFTER_A_SCRAPE = 3000; // five minutes, longer than anybody waits between two scrapes

/** Measures the lag of this thread's event loop. */
export class EventLoopLag {
  /** What was measured, in seconds. */
  readonly seconds = new Distribution(SECONDS_BOUNDS);

  #clock: Clock;
  #samplesLeft = 0;

  /** Measures nothing until {@link keepMeasuring} is called. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Measures from now on, or goes on to. */
  keepMeasuring(): void {
    const idle = this.#samplesLeft === 0;
    this.#samplesLeft = SAMPLES_AFTER_A_SCRAPE;
    if (idle) this.#measure();
  }

  #measure(): void {
    const due = this.#clock.monotonic() + SAMPLE_MS;
    this.#clock.schedule(SAMPLE_MS, () => {
      this.seconds.observe(Math.max(0, this.#clock.monotonic() - due) / 1000);
      if (--this.#samplesLeft > 0) this.#measure();
    }, true);
  }
}
