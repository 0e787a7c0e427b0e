/** Observed values, counted by size: what a histogram is made of. */

/** Bounds for durations, in seconds: from a read out of memory to a client that gives up. */
export const SECONDS_BOUNDS: readonly number[] = [
  0.0001,
  0.00025,
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
];

/** Bounds for the durations of work in the background, in seconds. */
export const BACKGROUND_SECONDS_BOUNDS: readonly number[] = [
  0.001,
  0.01,
  0.05,
  0.1,
  0.5,
  1,
  5,
  10,
  30,
  60,
  300,
  900,
];

/** Bounds for numbers of things, such as writes that share an fsync. */
export const COUNT_BOUNDS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096];

/** Counts values by the smallest bound that they do not exceed. Observing allocates nothing. */
export class Distribution {
  /** Upper bounds, ascending; beyond the last one there is no limit. */
  readonly bounds: readonly number[];
  /** How many values each bound got that the one before did not; the last count has no bound. */
  readonly counts: Float64Array;
  /** All values, added up. */
  sum = 0;

  /** Begins with no values. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Takes a value. */
  observe(value: number): void {
    const { bounds, counts } = this;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) index++;
    counts[index]!++;
    this.sum += value;
  }

  /** How many values were observed. */
  get count(): number {
    return this.counts.reduce((sum, each) => sum + each, 0);
  }
}
