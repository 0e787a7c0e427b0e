/**
 * Versions number the writes of a store as a whole: no two share one, and a write that began after
 * another had returned has the greater one, whatever their keys.
 */

import { changesOf, describe, isObservation, type Operation } from "./operation.ts";

/** Says which two writes of a history have versions in the wrong order; undefined if none have. */
export function findVersionDisorder(history: readonly Operation[]): string | undefined {
  const writes = history.filter((operation) => !isObservation(operation) && versionOf(operation));
  const events = writes.flatMap((operation) => [
    { time: operation.call, operation },
    { time: operation.end, operation },
  ]).sort((a, b) => a.time - b.time);
  let newest: Operation | undefined;
  for (const { time, operation } of events) {
    if (newest === undefined || versionOf(newest) < firstVersionOf(operation)) {
      if (time === operation.end) newest = operation;
    } else if (time === operation.call) {
      return `a later write has a version that is not greater\n${describe(newest)}\n` +
        describe(operation);
    }
  }
  const byVersion = writes.sort((a, b) => versionOf(a) - versionOf(b));
  const shared = byVersion.findIndex((operation, index) =>
    index > 0 && versionOf(byVersion[index - 1]!) >= firstVersionOf(operation)
  );
  if (shared === -1) return undefined;
  return `two writes share a version\n${describe(byVersion[shared - 1]!)}\n` +
    describe(byVersion[shared]!);
}

function versionOf({ result }: Operation): number {
  return result?.kind === "done" ? result.version ?? 0 : 0;
}

function firstVersionOf(operation: Operation): number {
  return versionOf(operation) - changesOf(operation.action).length + 1;
}
