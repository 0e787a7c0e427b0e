/** What a writer says once it takes nothing any more. */

import { KvError } from "../errors.ts";

/** The error of every write after the one that failed with `failure`. */
export function refusalAfter(failure: KvError): KvError {
  return new KvError(
    failure.code,
    `The store takes no more writes because an earlier one failed (${failure.message}); reads ` +
      `go on; mend the cause, then close and reopen the store`,
    { cause: failure, ...(failure.path === undefined ? {} : { path: failure.path }) },
  );
}
