/** The time seam: nothing else in lib/ reads a clock or sets a timer, so that a test can own both. */

/** A task set with {@link Clock.schedule}. */
export interface ScheduledTask {
  /** Prevents the task from running, if it has not yet. */
  cancel(): void;
}

/** Source of time and of "later". */
export interface Clock {
  /** Wall-clock time in integer milliseconds since the epoch; may jump either way. */
  now(): number;
  /** Monotonic time in milliseconds, from an arbitrary origin; for measuring durations. */
  monotonic(): number;
  /**
   * Runs `task` after at least `delayMs` milliseconds. With `background` the task does not keep the
   * process alive.
   */
  schedule(delayMs: number, task: () => void, background?: boolean): ScheduledTask;
  /** Runs `task` soon, after the input and output that is already waiting. */
  defer(task: () => void): void;
}

/** The machine's own clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, task, background = false) {
    // Timers hold at most 2^31 - 1 ms; whoever asks for more is woken early and asks again.
    const timer = setTimeout(task, Math.min(delayMs, 0x7fffffff)) as unknown as {
      unref?: () => void;
    } | number;
    if (background) unref(timer);
    return { cancel: () => clearTimeout(timer as number) };
  },
  defer: (task) => void setImmediate(task),
};

function unref(timer: { unref?: () => void } | number): void {
  if (typeof timer === "object") timer.unref?.();
  else (globalThis as { Deno?: { unrefTimer(id: number): void } }).Deno?.unrefTimer(timer);
}
