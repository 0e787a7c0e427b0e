/** How many requests are under way on all threads of a server, which have one limit together. */

import { type Clock, systemClock } from "../../../clock.ts";

/** How often a thread looks whether its requests have become fewer. */
const REFRESH_MS = 50;

/** What Bun's server tells of a connection. */
export interface CountedConnection {
  readonly pendingRequests?: number;
  requestIP?(request: Request): { address: string } | null;
}

/** The count, as one thread sees it. */
export class RequestCount {
  readonly #counts: Int32Array;
  readonly #own: number;
  readonly #clock: Clock;
  #pending: () => number = () => 0;
  #tellsApart: (() => number) | undefined;
  #isWatching = false;
  #around: { connection: unknown; counted: CountedConnection } | undefined;

  /** The memory that all threads have to be given. */
  static memoryFor(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (threads + 1));
  }

  /** `own` is which thread this one is, from 0. */
  constructor(memory: SharedArrayBuffer, own: number, clock: Clock = systemClock) {
    this.#counts = new Int32Array(memory);
    this.#own = own;
    this.#clock = clock;
  }

  /** All that are under way, of which `pending` tells those of this thread, now and later. */
  total(pending: () => number): number {
    this.#pending = pending;
    this.#publish();
    let total = 0;
    for (let thread = 0; thread < this.#counts.length - 1; thread++) {
      total += Atomics.load(this.#counts, thread);
    }
    return total;
  }

  /** All that are under way, as far as is known. */
  get known(): number {
    return this.total(this.#pending);
  }

  /** How many of them have a limit of their own, as the thread says that knows. */
  get apart(): number {
    return Atomics.load(this.#counts, this.#counts.length - 1);
  }

  /** Lets all threads know what `apart` returns, now and later. */
  tellApart(apart: () => number): void {
    this.#tellsApart = apart;
  }

  /** What an application is told of a connection: the same, but for how many requests there are. */
  around(connection: unknown): CountedConnection {
    const before = this.#around;
    if (before !== undefined && before.connection === connection) return before.counted;
    const inner = connection as CountedConnection;
    const pending = () => inner.pendingRequests ?? 0;
    const total = () => this.total(pending);
    const counted: CountedConnection = {
      get pendingRequests() {
        return total();
      },
      requestIP: (request) => inner.requestIP?.(request) ?? null,
    };
    this.#around = { connection, counted };
    return counted;
  }

  #publish(): void {
    const count = this.#pending();
    Atomics.store(this.#counts, this.#own, count);
    const apart = this.#tellsApart?.() ?? 0;
    if (this.#tellsApart !== undefined) Atomics.store(this.#counts, this.#counts.length - 1, apart);
    if ((count === 0 && apart === 0) || this.#isWatching) return;
    this.#isWatching = true;
    this.#clock.schedule(REFRESH_MS, () => {
      this.#isWatching = false;
      this.#publish();
    }, true);
  }
}
