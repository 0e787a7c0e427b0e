/** Removes keys whose time is over, in the background and in small steps. */

import type { Clock, ScheduledTask } from "../clock.ts";
import type { Keydir } from "./keydir.ts";

const KEYS_PER_STEP = 512;
/** Readers check the time themselves, so there is no hurry: wake rarely, remove many. */
const DELAY_MS_MIN = 100;

/** Wakes when the next key expires. */
export class Expirer {
  #keydir: Keydir;
  #clock: Clock;
  #onExpired: () => void;
  #timer: ScheduledTask | undefined;
  #timerAt = Infinity;
  #stepDeferred = false;
  #closed = false;

  /** `onExpired` is called after keys were removed. */
  constructor(keydir: Keydir, clock: Clock, onExpired: () => void) {
    this.#keydir = keydir;
    this.#clock = clock;
    this.#onExpired = onExpired;
    keydir.onExpiring = (expiresAt) => this.#wakeAt(expiresAt);
    this.#wakeAt(keydir.index.nextExpiry());
  }

  /** Removes everything that is due, however much it is. */
  expireAll(): void {
    const now = this.#clock.now();
    while (this.#keydir.expire(now, KEYS_PER_STEP) === KEYS_PER_STEP);
  }

  /** Stops. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#keydir.onExpiring = () => {};
  }

  #wakeAt(time: number): void {
    if (time >= this.#timerAt || this.#closed || this.#stepDeferred) return;
    this.#timer?.cancel();
    this.#timerAt = time;
    const delayMs = Math.max(DELAY_MS_MIN, time - this.#clock.now());
    this.#timer = this.#clock.schedule(delayMs, () => this.#step(), true);
  }

  #step(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    this.#stepDeferred = false;
    if (this.#closed) return;
    const count = this.#keydir.expire(this.#clock.now(), KEYS_PER_STEP);
    if (count > 0) this.#onExpired();
    if (count === KEYS_PER_STEP) {
      this.#stepDeferred = true;
      this.#clock.defer(() => this.#step());
    } else {
      this.#wakeAt(this.#keydir.index.nextExpiry());
    }
  }
}
