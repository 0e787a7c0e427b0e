/** Holds rows of the table against what was measured. */

import { FULL_KEYS, type Runtime } from "./arguments.ts";
import { MEASURES } from "./measures/mod.ts";
import { measurementOf, type Results, samplesOf } from "./results.ts";
import type { Row } from "./rows.ts";
import { ratiosOf, type Spread, spreadOf } from "./statistics.ts";

/** How a row came out. */
export interface Verdict {
  row: Row;
  runtime: Runtime;
  /** The ratio, or the figure itself. */
  measured: Spread;
  /** What the median shall reach. */
  wanted: number;
  /** 1 when just reached, 2 when twice as good as wanted. */
  share: number;
  reached: boolean;
  /** How many keys it was measured with, and whether those are as many as the row is about. */
  keys: number;
  isFullSize: boolean;
  date: string;
}

/** Judges `row` by the median of its rounds; undefined if it has not been measured. */
export function judge(results: Results, row: Row, runtime: Runtime): Verdict | undefined {
  const measurement = measurementOf(results, row.measure, runtime);
  if (measurement === undefined) return undefined;
  const ours = samplesOf(measurement, row.ours, row.figure);
  const values = row.kind === "ratio"
    ? ratiosOf(ours, samplesOf(measurement, row.theirs, row.figure))
    : ours;
  if (values.length === 0) return undefined;
  const measured = spreadOf(values);
  const wanted = row.kind === "ratio" ? row.atLeast : row.limit;
  const isAtMost = row.kind === "limit" && row.direction === "at most";
  const share = isAtMost ? wanted / measured.median : measured.median / wanted;
  const { keys, date } = measurement;
  const isFullSize = keys === fullKeys(row.measure);
  return { row, runtime, measured, wanted, share, reached: share >= 1, keys, isFullSize, date };
}

/** Keys of a measure in a run of full size. */
function fullKeys(name: string): number | undefined {
  return MEASURES.find((measure) => measure.name === name)?.keys(FULL_KEYS);
}

/** Names of the rows that fall short. They are about Bun; where only Deno was measured, about Deno. */
export function shortRows(verdicts: readonly Verdict[]): string[] {
  const judged = verdicts.some(({ runtime }) => runtime === "bun") ? "bun" : "deno";
  return verdicts.filter(({ reached, runtime }) => !reached && runtime === judged)
    .map(({ row }) => row.name);
}
