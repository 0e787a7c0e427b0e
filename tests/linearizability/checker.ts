/**
 * Is there an order of all operations, each at one moment between its call and its return, in which
 * a plain map would have answered just the same? The answer for a whole history, key by key.
 */

import { tally } from "../support/counted.ts";
import type { Operation } from "./operation.ts";
import { assertValuesAreUnique, divide } from "./partition.ts";
import { search } from "./search.ts";
import { findVersionDisorder } from "./version_order.ts";
import { explain } from "./violation.ts";

const noteHistory = tally("histories of a store");
const noteOperations = tally("operations in them");

/** Says in what a history is not linearizable; undefined if it is. */
export function findViolation(history: readonly Operation[]): string | undefined {
  assertValuesAreUnique(history);
  for (const partition of divide(history)) {
    const { verdict, order } = search(partition.operations);
    if (verdict === "violation") return explain(partition);
    if (verdict === "undecided") {
      throw new Error(
        `No verdict on ${partition.keys.join(", ")}: ${partition.operations.length} operations, ` +
          `of which ${order.length} could be put in order. Fewer unknown outcomes, or fewer ` +
          `clients on these keys, make it decidable`,
      );
    }
  }
  return findVersionDisorder(history);
}

/** Throws if a history is not linearizable; `context` tells how it came about. */
export function assertLinearizable(history: readonly Operation[], context: string): void {
  noteHistory();
  noteOperations(history.length);
  const violation = findViolation(history);
  if (violation !== undefined) throw new Error(`${context}\n${violation}`);
}
