/** How long a reader tries again while another thread changes what it reads, and when it gives up. */

import { KvError } from "../errors.ts";

/** After so many attempts the thread sleeps between two of them. The longest change is a split. */
const SPINS_MAX = 10_000;
const SLEEP_MS = 1;
/** A change takes less than a millisecond. One that takes so many sleeps will never end. */
const SLEEPS_MAX = 10_000;

/** Waits between attempts. */
export class Patience {
  #sleeper: Int32Array | undefined;

  /** To be called after an attempt that failed, the first of which has the number 1. */
  afterAttempt(attempt: number): void {
    const sleeps = attempt - SPINS_MAX;
    if (sleeps <= 0) return;
    if (sleeps > SLEEPS_MAX) {
      throw new KvError(
        "Closed",
        "The thread that has the store open stopped in the midst of a change: open it again",
      );
    }
    this.#sleeper ??= new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(this.#sleeper, 0, 0, SLEEP_MS);
  }
}

/** The error for memory in which something stands that no index holds, though nothing has changed. */
export function noIndex(): KvError {
  return new KvError(
    "InvalidArgument",
    "The handle's memory holds no index: pass on what share() returned, and nothing else",
  );
}
