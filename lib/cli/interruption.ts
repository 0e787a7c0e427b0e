/** Ctrl-C in the middle of a command that has something to finish or to clear up. */

import process from "node:process";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";

type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

const EXIT_CODE_BY_SIGNAL: Record<StopSignal, ExitCode> = {
  SIGINT: EXIT_CODE.interrupted,
  SIGTERM: EXIT_CODE.terminated,
  SIGHUP: EXIT_CODE.hungUp,
};
const SIGNALS = Object.keys(EXIT_CODE_BY_SIGNAL) as StopSignal[];

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

/** Clears up when a signal ends the process. Returns what takes that back. */
export function onInterrupt(clearUp: () => void): () => void {
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      clearUp();
      process.exit(EXIT_CODE_BY_SIGNAL[signal]);
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

/** Notes a signal, so that a command can come to a good end; a second one ends it at once. */
export class Interruption implements Disposable {
  /** Rejects with an {@link InterruptedError} at the first signal. */
  readonly requested: Promise<never>;
  #error: InterruptedError | undefined;
  #listeners: (readonly [StopSignal, () => void])[];

  /** Listens until it is disposed of. */
  constructor() {
    let reject: (error: Error) => void;
    this.requested = new Promise((_resolve, rejectIt) => reject = rejectIt);
    this.requested.catch(() => {}); // nobody may be waiting
    this.#listeners = SIGNALS.map((signal) => {
      const listener = () => {
        if (this.#error !== undefined) process.exit(EXIT_CODE_BY_SIGNAL[signal]);
        this.#error = new InterruptedError(signal);
        reject(this.#error);
      };
      process.on(signal, listener);
      return [signal, listener] as const;
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
