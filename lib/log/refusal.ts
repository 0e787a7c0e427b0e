/** That a writer takes nothing any more after a failure, and what it then says. */

import { KvError } from "../errors.ts";

/** Remembers the first failed write or fsync: nothing is built upon what may be lost. */
export class Refusal {
  /** What failed first; undefined while nothing did. */
  failure: KvError | undefined;

  readonly #onFailure: ((error: KvError) => void) | undefined;

  /** `onFailure` is told of the first failure. */
  constructor(onFailure: ((error: KvError) => void) | undefined) {
    this.#onFailure = onFailure;
  }

  /** Throws if something failed before. */
  assertNone(): void {
    if (this.failure !== undefined) throw refusalAfter(this.failure);
  }

  /** Refuses everything from now on; returns the error to throw. */
  begin(error: unknown): KvError {
    const failure = error instanceof KvError
      ? error
      : new KvError("Io", `Writing the log failed: ${String(error)}`, { cause: error });
    if (this.failure === undefined) {
      this.failure = failure;
      this.#onFailure?.(failure);
    }
    return failure;
  }

  /** Does something after whose failure everything is refused. */
  attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw this.begin(error);
    }
  }
}

/** The error of every write after the one that failed with `failure`. */
function refusalAfter(failure: KvError): KvError {
  return new KvError(
    failure.code,
    `The store takes no more writes because an earlier one failed (${failure.message}); reads ` +
      `go on; mend the cause, then close and reopen the store`,
    { cause: failure, ...(failure.path === undefined ? {} : { path: failure.path }) },
  );
}
