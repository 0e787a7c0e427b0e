/**
 * What people are shown of a history that has no order: the shortest beginning of it that has none,
 * without the observations that it has none without.
 */

import { changesOf, describe, isObservation, type Operation, valuesTold } from "./operation.ts";
import type { Partition } from "./partition.ts";
import { stateKey } from "./register_model.ts";
import { search } from "./search.ts";

/** Lines of a history that are shown; those at its end say most. */
const LINES_MAX = 40;

/** Explains why the operations on some keys have no order. */
export function explain({ keys, operations }: Partition): string {
  const prefix = shortestPrefix(operations);
  const essential = withoutIdleObservations(prefix);
  const { order, state } = search(essential);
  const placed = new Set(order);
  const left = essential.filter((operation) => !placed.has(operation));
  return [
    `not linearizable: ${keys.map((key) => JSON.stringify(key)).join(", ")}; ` +
    `${prefix.length} of ${operations.length} operations show it, ` +
    `of which ${prefix.length - essential.length} are left out here as they change nothing`,
    "the longest order that is possible:",
    ...shown(order.map(describe)),
    `then the state is: ${stateKey(state)} (newest version, then key=value@version)`,
    "and these have no place after it:",
    ...shown(left.sort((a, b) => a.call - b.call).map(describe)),
  ].join("\n");
}

/** The operations as they were known when the first of them returned that fits no order. */
function shortestPrefix(operations: readonly Operation[]): Operation[] {
  const ends = operations.map(({ end }) => end).filter((end) => end !== Infinity)
    .sort((a, b) => a - b);
  // What is no order for a beginning is none for anything longer, so the search may be by halves.
  let [low, high] = [0, ends.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isViolation(until(operations, ends[middle]!))) high = middle;
    else low = middle + 1;
  }
  return until(operations, ends[high] ?? Infinity);
}

function until(operations: readonly Operation[], time: number): Operation[] {
  return operations.filter(({ call }) => call <= time).map((operation) =>
    operation.end <= time ? operation : { ...operation, end: Infinity, result: undefined }
  );
}

/** Leaves out observations as long as there is still no order: fewer of them only allow more. */
function withoutIdleObservations(operations: Operation[]): Operation[] {
  // A read may be all that tells the version of a write, on which conditions then depend.
  const untold = new Set(
    operations.filter(({ result }) => result?.kind !== "done" || result.version === undefined)
      .flatMap(({ action }) => changesOf(action).map(({ value }) => value)),
  );
  const mayGo = (operation: Operation) =>
    isObservation(operation) &&
    !valuesTold(operation.result).some(({ value }) => untold.has(value));
  let kept = operations;
  for (let size = operations.length >> 1; size >= 1; size >>= 1) {
    for (let start = 0; start < kept.length;) {
      const end = start + size;
      const fewer = kept.filter((operation, index) =>
        index < start || index >= end || !mayGo(operation)
      );
      if (fewer.length < kept.length && isViolation(fewer)) kept = fewer;
      else start = end;
    }
  }
  return kept;
}

function isViolation(operations: readonly Operation[]): boolean {
  return search(operations).verdict === "violation";
}

function shown(lines: string[]): string[] {
  const hidden = lines.length - LINES_MAX;
  const rest = lines.slice(-LINES_MAX).map((line) => `  ${line}`);
  return hidden > 0 ? [`  … ${hidden} before that`, ...rest] : rest;
}
