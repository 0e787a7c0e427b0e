/**
 * Backpressure: while compaction is behind, writes are acknowledged as fast as it gets on, so that a
 * quick writer cannot fill the disk with dead records. A write that has to wait lets the event loop
 * go, which is what compaction needs most. Reads wait for nothing.
 *
 * What must stay true (each has its test):
 * - A write waits only while compaction works. If it ends, fails, is stopped, or gets nowhere for a
 *   second, all that wait are let go.
 * - No write waits for longer than a second.
 * - Compaction never waits for a write that waits for it.
 */

import type { Clock, ScheduledTask } from "../clock.ts";

/** How often those who wait are looked after while compaction itself waits for the disk. */
const TICK_MS = 10;
/** A tick counts like so much work, or a long fsync of compaction would stop all writes. */
const TICK_WORK_BYTES = 256 << 10;
/** Nobody waits longer. By the clock: on a busy event loop ticks come late. */
const WAIT_MS_MAX = 1000;
/** A compaction that has got nowhere for so many ticks is not waited for at all. */
const IDLE_TICKS_MAX = WAIT_MS_MAX / TICK_MS;

/** A write that waits, by its position in the sequence of appended bytes. */
interface Waiter {
  position: number;
  /** When it came, on the monotonic clock. */
  sinceMs: number;
  resolve: () => void;
}

/** Holds acknowledgements back, and lets them go as compaction gets on. */
export class Backpressure {
  /** Whether anybody may have to wait; while not, this is all that a write has to look at. */
  isOn = false;

  #clock: Clock;
  #bytesAppended: () => number;
  /** Position up to which writes may be acknowledged. */
  #admitted = 0;
  /** Bytes that may be written for each that compaction works through. */
  #share = 0;
  /** So many beyond those written may be admitted ahead. */
  #aheadBytes = 0;
  #waiters: Waiter[] = [];
  #timer: ScheduledTask | undefined;
  /** Ticks since compaction has got on. */
  #idleTicks = 0;
  #waitedMs = 0;
  #waitingSince = 0;

  /** `bytesAppended` tells how long the log would be if nothing had been removed from it. */
  constructor(clock: Clock, bytesAppended: () => number) {
    this.#clock = clock;
    this.#bytesAppended = bytesAppended;
  }

  /** For how long, in milliseconds, there were writes that waited. */
  get waitedMs(): number {
    if (this.#waiters.length === 0) return this.#waitedMs;
    return this.#waitedMs + this.#clock.monotonic() - this.#waitingSince;
  }

  /** Resolves when what was appended so far may be acknowledged; undefined if that is now. */
  admission(): Promise<void> | undefined {
    if (!this.isOn) return undefined;
    const position = this.#bytesAppended();
    if (position <= this.#admitted) return undefined;
    const sinceMs = this.#clock.monotonic();
    if (this.#waiters.length === 0) this.#waitingSince = sinceMs;
    this.#planTick();
    return new Promise((resolve) => this.#waiters.push({ position, sinceMs, resolve }));
  }

  /**
   * From now on, `share` bytes may be written for each that compaction works through; what is not
   * written at once may follow later, up to `aheadBytes`.
   */
  hold(share: number, aheadBytes: number): void {
    this.#share = share;
    this.#aheadBytes = aheadBytes;
    if (this.isOn || this.#idleTicks >= IDLE_TICKS_MAX) return;
    this.isOn = true;
    this.#admitted = this.#bytesAppended();
  }

  /** Compaction has worked through so many bytes. */
  noteWork(byteLength: number): void {
    this.#idleTicks = 0;
    if (this.isOn) this.#admit(byteLength);
  }

  /** Nobody has to wait any more. */
  release(): void {
    this.isOn = false;
    this.#idleTicks = 0;
    this.#letGo(Infinity);
  }

  #admit(workBytes: number): void {
    const furthest = this.#bytesAppended() + this.#aheadBytes;
    this.#admitted = Math.min(this.#admitted + workBytes * this.#share, furthest);
    this.#letGo(this.#admitted);
  }

  #letGo(position: number): void {
    const waiters = this.#waiters;
    let count = 0;
    while (count < waiters.length && waiters[count]!.position <= position) count++;
    if (count === 0) return;
    const gone = waiters.splice(0, count);
    if (waiters.length === 0) {
      this.#waitedMs += this.#clock.monotonic() - this.#waitingSince;
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    for (const { resolve } of gone) resolve();
  }

  #planTick(): void {
    this.#timer ??= this.#clock.schedule(TICK_MS, () => this.#onTick());
  }

  #onTick(): void {
    this.#timer = undefined;
    this.#idleTicks++;
    if (this.#idleTicks >= IDLE_TICKS_MAX) {
      // It stays off until there is work again.
      this.isOn = false;
      this.#letGo(Infinity);
      return;
    }
    const sinceMsMax = this.#clock.monotonic() - WAIT_MS_MAX;
    const tooLong = this.#waiters.findLast(({ sinceMs }) => sinceMs <= sinceMsMax);
    if (tooLong !== undefined) this.#admitted = Math.max(this.#admitted, tooLong.position);
    this.#admit(TICK_WORK_BYTES);
    if (this.#waiters.length > 0) this.#planTick();
  }
}
