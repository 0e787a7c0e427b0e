/** How many bytes of request bodies may be in memory at once, and how long they may take to come. */

import { type Clock, type ScheduledTask, systemClock } from "../../clock.ts";
import { BODY_BYTES_HELD_MAX, BODY_BYTES_PER_SECOND_MIN, BODY_RECEIVE_MS } from "../../limits.ts";
import { HttpError } from "./problem.ts";

/** Bodies up to this are not counted: as many as there are requests are still few bytes. */
export const SMALL_BODY_BYTES = 64 << 10;

const SWEEP_MS = 500;

/** Limits of {@link BodyMemory}. */
export interface BodyLimits {
  /** Bytes of long bodies held at once. */
  bytesMax: number;
  /** How long a body may take to arrive, whatever its length, in milliseconds. */
  receiveMs: number;
  /** Each second beyond that must have brought so many bytes. */
  bytesPerSecondMin: number;
}

/** A body that is arriving. */
export interface Arrival {
  /** Bytes so far. */
  received: number;
  /** Called if it takes too long. */
  expire: (error: HttpError) => void;
}

/** The bodies of one service. */
export class BodyMemory {
  readonly #clock: Clock;
  readonly #limits: BodyLimits;
  readonly #reserved = new WeakMap<Request, number>();
  readonly #arrivals = new Map<Arrival, number>();
  #held = 0;
  #sweep: ScheduledTask | undefined;

  constructor(limits: Partial<BodyLimits> = {}, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#limits = {
      bytesMax: BODY_BYTES_HELD_MAX,
      receiveMs: BODY_RECEIVE_MS,
      bytesPerSecondMin: BODY_BYTES_PER_SECOND_MIN,
      ...limits,
    };
  }

  /** Bytes reserved now. */
  get held(): number {
    return this.#held;
  }

  /** Requests whose bodies are arriving. */
  get arriving(): number {
    return this.#arrivals.size;
  }

  /**
   * Counts `bytes` more for a request, until {@link release}. Throws if that were too many in all;
   * but one body is let in whatever its length, since the length of one has a limit of its own.
   */
  reserve(request: Request, bytes: number): void {
    const before = this.#reserved.get(request) ?? 0;
    if (this.#held > before && this.#held + bytes > this.#limits.bytesMax) {
      throw new HttpError(
        "Overloaded",
        "The requests under way hold as much memory as they may: try again",
        { "retry-after": "1", connection: "close" },
      );
    }
    this.#held += bytes;
    this.#reserved.set(request, before + bytes);
  }

  /** Gives back what a request has reserved, if anything. */
  release(request: Request): void {
    const bytes = this.#reserved.get(request);
    if (bytes === undefined) return;
    this.#held -= bytes;
    this.#reserved.delete(request);
  }

  /** Watches over a body until {@link arrived}. */
  watch(arrival: Arrival): void {
    this.#arrivals.set(arrival, this.#clock.monotonic());
    this.#sweep ??= this.#clock.schedule(SWEEP_MS, () => this.#expireLate(), true);
  }

  /** The body is there, or nobody wants it any more. */
  arrived(arrival: Arrival): void {
    this.#arrivals.delete(arrival);
  }

  #expireLate(): void {
    const now = this.#clock.monotonic();
    const { receiveMs, bytesPerSecondMin } = this.#limits;
    for (const [arrival, since] of this.#arrivals) {
      if (now - since <= receiveMs + 1000 * arrival.received / bytesPerSecondMin) continue;
      this.#arrivals.delete(arrival);
      arrival.expire(
        new HttpError("RequestTimeout", "The body took too long to arrive", {
          connection: "close",
        }, { field: "body" }),
      );
    }
    this.#sweep = this.#arrivals.size === 0
      ? undefined
      : this.#clock.schedule(SWEEP_MS, () => this.#expireLate(), true);
  }
}
