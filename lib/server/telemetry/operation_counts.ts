/** Operations of a store, counted by kind and by what came of them. */

import { KvError, type KvErrorCode } from "../../mod.ts";
import type { Metric, Sample } from "./metric_set.ts";

/** What can come of an operation. */
export const RESULTS = ["ok", "not_found", "condition_failed", "refused", "error"] as const;
/** One of {@link RESULTS}. */
export type OperationResult = typeof RESULTS[number];

/** Kinds of operation that are counted. */
export const OPERATIONS = [
  "get",
  "set",
  "delete",
  "batch",
  "list",
  "changes",
  "flush",
  "compact",
  "backup",
] as const;
/** One of {@link OPERATIONS}. */
export type Operation = typeof OPERATIONS[number];

const RESULT_BY_CODE: Record<KvErrorCode, OperationResult> = {
  NotFound: "not_found",
  ConditionFailed: "condition_failed",
  InvalidKey: "refused",
  InvalidArgument: "refused",
  ValueTooLarge: "refused",
  ReadOnly: "refused",
  Compacted: "refused",
  Unsupported: "refused",
  Closed: "error",
  CorruptLog: "error",
  Io: "error",
  Locked: "error",
  NoSpace: "error",
};

/** What a failed operation counts as. */
export function resultOf(error: unknown): OperationResult {
  return error instanceof KvError ? RESULT_BY_CODE[error.code] ?? "error" : "error";
}

/** Counts of one kind of operation. */
export type ResultCounts = Record<OperationResult, number>;

/** Counts of all kinds. */
export class OperationCounts {
  /** By kind, then by result. */
  readonly counts: Record<Operation, ResultCounts>;

  /** Begins at zero. */
  constructor() {
    this.counts = Object.fromEntries(
      OPERATIONS.map((operation) => [operation, zeroes()]),
    ) as Record<Operation, ResultCounts>;
  }

  /** The metric. Kinds that never occurred are there too, with zero, so that rates have a start. */
  metric(): Metric {
    return {
      name: "cairn_operations_total",
      help: "Operations of the store, by kind and result",
      type: "counter",
      labelNames: ["operation", "result"],
      collect: () => this.#samples(),
    };
  }

  *#samples(): Iterable<Sample> {
    for (const operation of OPERATIONS) {
      for (const result of RESULTS) {
        yield { labels: { operation, result }, value: this.counts[operation][result] };
      }
    }
  }
}

function zeroes(): ResultCounts {
  return { ok: 0, not_found: 0, condition_failed: 0, refused: 0, error: 0 };
}
