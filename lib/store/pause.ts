/** Cuts long work into slices, so that the event loop never waits long. */

import type { Clock } from "../clock.ts";

/** Reading the clock costs a tenth of what work on so many records does, or less. */
export const RECORDS_BETWEEN_CLOCK_READINGS = 16;

/** Slices of work that nobody waits for: each request that comes meanwhile waits for one, or a few. */
const BACKGROUND_SLICE_MS_MIN = 0.1;
/** However long the turns of others are: a stall of more would be felt. */
const BACKGROUND_SLICE_MS_MAX = 4;
/** Unless the turns of others stall everything as long, and what they leave to do gets too much. */
const BACKGROUND_SLICE_MS_MAX_URGENT = 16;
/** A turn of the event loop as short as this was needed by nobody. */
const IDLE_TURN_MS = 0.02;

/** How much work has piled up. */
export type Urgency = "calm" | "late" | "urgent";

/** After a slice others have so many times as long, if they need it. */
const OTHERS_SHARE: Readonly<Record<Urgency, number>> = { calm: 3, late: 1, urgent: 0.5 };

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
    await this.turn();
    this.begin(this.#sliceMs);
  }

  /** Lets everything else that waits have its turn. */
  protected turn(): Promise<void> {
    return new Promise<void>((resolve) => this.#clock.defer(resolve));
  }

  /** Begins a slice. */
  protected begin(sliceMs: number): void {
    this.#deadline = this.#clock.monotonic() + sliceMs;
  }
}

/**
 * Slices of background work, which has its share of a busy event loop and all of an idle one. They are
 * short where others have short turns, and with long ones they grow, or a load of long turns would
 * leave the work behind for ever.
 */
export class BackgroundSlices extends Slices {
  #time: () => number;
  #urgency: () => Urgency;
  /** When the last slice ended; undefined if {@link pause} is to ask. */
  #end: number | undefined;

  /** While work piles up, as `urgency` says, the share is larger, and each turn has a slice. */
  constructor(clock: Clock, urgency: () => Urgency) {
    super(clock, BACKGROUND_SLICE_MS_MIN);
    this.#time = () => clock.monotonic();
    this.#urgency = urgency;
  }

  /** Ends a slice before {@link pause}: who works waits for the disk first, and others have their turn. */
  end(): void {
    this.#end ??= this.#time();
  }

  /** As {@link Slices.pause}; it takes several turns of the event loop while others need them. */
  override async pause(): Promise<void> {
    const urgency = this.#urgency();
    const isLate = urgency !== "calm";
    const now = this.#time();
    // What others had while the disk was waited for counts only where each turn is needed.
    const begin = isLate ? this.#end ?? now : now;
    this.#end = undefined;
    const share = OTHERS_SHARE[urgency];
    const othersEnd = begin + share * BACKGROUND_SLICE_MS_MIN;
    let turnBegin: number;
    let turnEnd = now;
    do {
      turnBegin = turnEnd;
      await this.turn();
      turnEnd = this.#time();
    } while (!isLate && turnEnd - turnBegin > IDLE_TURN_MS && turnEnd < othersEnd);
    const sliceMs = (turnEnd - begin) / share;
    const sliceMsMax = urgency === "urgent"
      ? BACKGROUND_SLICE_MS_MAX_URGENT
      : BACKGROUND_SLICE_MS_MAX;
    this.begin(Math.min(sliceMsMax, Math.max(BACKGROUND_SLICE_MS_MIN, sliceMs)));
  }
}
