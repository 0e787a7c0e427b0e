/** Looks at the event loop: how long it took from one turn to the next. */

import { quantile } from "../statistics.ts";

const SAMPLES_MAX = 1 << 22;

/** Samples of a time in milliseconds; of very many, the first ones and the longest. */
export class Samples {
  readonly #values = new Float64Array(SAMPLES_MAX);
  #count = 0;
  longest = 0;

  add(millis: number): void {
    if (millis > this.longest) this.longest = millis;
    if (this.#count < SAMPLES_MAX) this.#values[this.#count++] = millis;
  }

  get count(): number {
    return this.#count;
  }

  /** What `share` of the samples do not exceed. */
  quantile(share: number): number {
    return quantile(this.#values.slice(0, this.#count).sort(), share);
  }
}

/** Resolves in the next turn of the event loop, after what is ready now. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
