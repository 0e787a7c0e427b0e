/** The arithmetic of the harness: medians, quantiles and ratios of rounds. */

/** A figure over several rounds. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** The middle of `values`, or the mean of the two in the middle; NaN if there are none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value that at least `share` of all values do not exceed; `sorted` is ascending. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return NaN;
  const rank = Math.ceil(share * sorted.length);
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1]!;
}

/** Median and extremes of `values`; NaN if there are none. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) return { median: NaN, min: NaN, max: NaN };
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * Ours divided by theirs, round by round: what both met in one round, such as a slow moment of the
 * disk, cancels out. Rounds that one of them lacks are left out.
 */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): number[] {
  const rounds = Math.min(ours.length, theirs.length);
  return Array.from({ length: rounds }, (_, round) => ours[round]! / theirs[round]!);
}
