/** A clock that stands still until a test moves it. */

import type { Clock, ScheduledTask } from "../../lib/clock.ts";

interface Pending {
  readonly dueMs: number;
  readonly task: () => void;
  readonly background: boolean;
}

export interface TestClockOptions {
  /** What `now` says at first, in milliseconds since the epoch. */
  nowMs?: number;
  /** Keep deferred tasks until `runDeferred` is called, instead of using the runtime's queue. */
  manualDefer?: boolean;
}

/** Time for tests: `advance` runs what falls due, in order, each at its own moment. */
export class TestClock implements Clock {
  readonly #manualDefer: boolean;
  readonly #pending = new Set<Pending>();
  #deferred: (() => void)[] = [];
  #wallMs: number;
  #elapsedMs = 0;

  constructor({ nowMs = 1_700_000_000_000, manualDefer = false }: TestClockOptions = {}) {
    this.#wallMs = nowMs;
    this.#manualDefer = manualDefer;
  }

  now(): number {
    return Math.floor(this.#wallMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  schedule(delayMs: number, task: () => void, background = false): ScheduledTask {
    const pending: Pending = { dueMs: this.#elapsedMs + Math.max(0, delayMs), task, background };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  defer(task: () => void): void {
    if (this.#manualDefer) this.#deferred.push(task);
    else setImmediate(task);
  }

  /** Moves both clocks forward and runs the tasks that fall due on the way. */
  advance(ms: number): void {
    const endMs = this.#elapsedMs + ms;
    let next = this.#earliest();
    while (next !== undefined && next.dueMs <= endMs) {
      this.#moveTo(next.dueMs);
      this.#pending.delete(next);
      next.task();
      next = this.#earliest();
    }
    this.#moveTo(endMs);
  }

  /** Makes the wall clock jump, either way, as an administrator or NTP may. Nothing falls due. */
  setNow(nowMs: number): void {
    this.#wallMs = nowMs;
  }

  /** Runs the tasks deferred so far (`manualDefer` only); returns how many. */
  runDeferred(): number {
    const tasks = this.#deferred;
    this.#deferred = [];
    for (const task of tasks) task();
    return tasks.length;
  }

  /** How many tasks wait for their time; those that would keep a process alive, if so asked. */
  pendingCount({ foregroundOnly = false } = {}): number {
    let count = 0;
    for (const { background } of this.#pending) if (!foregroundOnly || !background) count++;
    return count;
  }

  /** Of tasks due at the same time, the one scheduled first: sets keep their order. */
  #earliest(): Pending | undefined {
    let earliest: Pending | undefined;
    for (const pending of this.#pending) {
      if (earliest === undefined || pending.dueMs < earliest.dueMs) earliest = pending;
    }
    return earliest;
  }

  #moveTo(elapsedMs: number): void {
    if (elapsedMs <= this.#elapsedMs) return;
    this.#wallMs += elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
  }
}
