/** Ctrl-C in the middle of a command that has something to finish or to clear up. */

import process from "node:process";
import { systemClock } from "../clock.ts";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import { currentSession } from "./session.ts";

/** A signal that asks to stop. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

const EXIT_CODE_BY_SIGNAL: Record<StopSignal, ExitCode> = {
  SIGINT: EXIT_CODE.interrupted,
  SIGTERM: EXIT_CODE.terminated,
  SIGHUP: EXIT_CODE.hungUp,
};
const SIGNALS = Object.keys(EXIT_CODE_BY_SIGNAL) as StopSignal[];
/** How long something that never waits may keep signals from being heard. */
const DEAF_MS_MAX = 10;

/** Thrown in the place where a command was when it was told to stop. */
export class InterruptedError extends Error {
  /** What the process is to exit with. */
  readonly exitCode: ExitCode;

  /** Stopped by this signal. */
  constructor(signal: StopSignal) {
    super(`Interrupted by ${signal}`);
    this.name = "InterruptedError";
    this.exitCode = EXIT_CODE_BY_SIGNAL[signal];
  }
}

/** What is to be cleared up, what was begun last first. */
const clearUps: (() => void)[] = [];
let listeners: (readonly [StopSignal, () => void])[] = [];

/**
 * Clears up when a signal ends the process, with all else that is to be. Returns what takes it back.
 * In a session a signal ends the command by an error, and it clears up as after any other.
 */
export function onInterrupt(clearUp: () => void): () => void {
  if (currentSession() !== undefined) return () => {};
  if (clearUps.length === 0) {
    // One listener for all of them: it ends the process, and none that came after it would be heard.
    listeners = SIGNALS.map((signal) => [signal, () => clearUpAndExit(signal)] as const);
    for (const [signal, listener] of listeners) process.on(signal, listener);
  }
  clearUps.unshift(clearUp);
  return () => {
    const index = clearUps.indexOf(clearUp);
    if (index < 0) return;
    clearUps.splice(index, 1);
    if (clearUps.length > 0) return;
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

function clearUpAndExit(signal: StopSignal): never {
  for (const clearUp of clearUps) {
    try {
      clearUp();
    } catch {
      // The others are to be cleared up all the same.
    }
  }
  process.exit(EXIT_CODE_BY_SIGNAL[signal]);
}

/** Notes a signal, so that a command can come to a good end; a second one ends it at once. */
export class Interruption implements Disposable {
  /** Rejects with an {@link InterruptedError} at the first signal. */
  readonly requested: Promise<never>;
  #error: InterruptedError | undefined;
  #rejectWait: ((error: Error) => void) | undefined;
  #listeners: (readonly [StopSignal, () => void])[];

  /** Listens until it is disposed of. */
  constructor() {
    let reject: (error: Error) => void;
    this.requested = new Promise((_resolve, rejectIt) => reject = rejectIt);
    this.requested.catch(() => {}); // nobody may be waiting
    this.#listeners = SIGNALS.map((signal) => {
      const listener = () => {
        if (this.#error !== undefined) {
          // A session goes on: there, what the command waits for is left alone (unlessInterrupted).
          if (currentSession() !== undefined) return;
          process.exit(EXIT_CODE_BY_SIGNAL[signal]);
        }
        this.#error = new InterruptedError(signal);
        reject(this.#error);
        this.#rejectWait?.(this.#error);
      };
      process.on(signal, listener);
      return [signal, listener] as const;
    });
  }

  /**
   * Resolves as `work` does, unless a signal comes first. One at a time; for loops, where racing
   * against {@link requested} would pile up memory.
   */
  wait<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#rejectWait = reject;
      work.then(resolve, reject);
    });
  }

  /** Throws if there was a signal. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }
}

/**
 * Resolves as `work` does, unless a signal comes first: then it rejects with an
 * {@link InterruptedError}, and `abandoned` is told what came of the work when it is done. Outside of
 * a session, signals end the process, and this is only `work`.
 */
export async function unlessInterrupted<T>(
  work: Promise<T>,
  abandoned: (result: T) => unknown = () => {},
): Promise<T> {
  if (currentSession() === undefined) return await work;
  using interruption = new Interruption();
  try {
    return await interruption.wait(work);
  } catch (error) {
    if (error instanceof InterruptedError) work.then(abandoned).catch(() => {});
    throw error;
  }
}

/** Hands on what comes, until a signal does; see {@link unlessInterrupted}. */
export async function* untilInterrupted<T>(items: AsyncIterable<T>): AsyncGenerator<T, void> {
  if (currentSession() === undefined) return yield* items;
  using interruption = new Interruption();
  const iterator = items[Symbol.asyncIterator]();
  let isDone = false;
  try {
    let heardAt = systemClock.monotonic();
    while (true) {
      const next = await interruption.wait(iterator.next());
      if (systemClock.monotonic() - heardAt > DEAF_MS_MAX) {
        await new Promise<void>((resolve) => systemClock.defer(resolve));
        heardAt = systemClock.monotonic();
      }
      interruption.check();
      if (next.done) {
        isDone = true;
        return;
      }
      yield next.value;
    }
  } finally {
    // Not awaited: it may be waiting for something that never comes.
    if (!isDone) iterator.return?.()?.catch?.(() => {});
  }
}
