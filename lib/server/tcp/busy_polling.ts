/**
 * Has the event loop look for what comes next for a moment before it sleeps. Where a processor sleeps
 * with it, whoever sends the next bytes has to wake that first, which takes as long as sending them;
 * and all others wait meanwhile. Looking takes 0.7 µs each time under Bun, so it is done only where
 * something comes soon as a rule.
 */

import type { Clock } from "../../clock.ts";

/** Turns of the event loop in a row in which nothing comes, before it may sleep. */
const EMPTY_TURNS_MAX = 40;
/** Looking in vain costs as much as it saves to have found something so many times. */
const VAIN_COST = 4;
/** What was saved counts up to here, since it says little of what comes later. */
const CREDIT_MAX = 16;
/** If that does not pay, so many chunks come before it is tried again. */
const CHUNKS_WITHOUT = 256;

/** That of the connections of one listener. */
export class BusyPolling {
  readonly #clock: Pick<Clock, "defer">;
  #isLooking = false;
  #hasCome = false;
  #emptyTurns = 0;
  #credit = 0;
  #chunksWithout = 0;

  constructor(clock: Pick<Clock, "defer">) {
    this.#clock = clock;
  }

  /** A chunk has come. */
  came(): void {
    if (this.#isLooking) {
      this.#hasCome = true;
      return;
    }
    if (this.#chunksWithout > 0) {
      this.#chunksWithout--;
      return;
    }
    this.#isLooking = true;
    this.#hasCome = true;
    this.#clock.defer(this.#turn);
  }

  #turn = (): void => {
    if (this.#hasCome) {
      if (this.#emptyTurns > 0 && this.#credit < CREDIT_MAX) this.#credit++;
      this.#hasCome = false;
      this.#emptyTurns = 0;
    } else if (this.#emptyTurns === EMPTY_TURNS_MAX) {
      this.#stop();
      return;
    } else this.#emptyTurns++;
    this.#clock.defer(this.#turn);
  };

  #stop(): void {
    this.#isLooking = false;
    this.#emptyTurns = 0;
    this.#credit -= VAIN_COST;
    if (this.#credit >= 0) return;
    this.#credit = 0;
    this.#chunksWithout = CHUNKS_WITHOUT;
  }
}
