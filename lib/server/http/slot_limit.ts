/** How many answers of a kind may go on at once: those that take as long as their reader likes. */

import { HttpError } from "./problem.ts";

/** Counts what is taken, up to a maximum. */
export class SlotLimit {
  readonly #max: number;
  readonly #what: string;
  #taken = 0;

  /** `what` names the kind in the refusal, as in "change feeds". */
  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /** How many are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes one; what is returned gives it back, and does nothing when it is called again. Throws
   * `Overloaded` if none is left.
   */
  take(): () => void {
    if (this.#taken >= this.#max) {
      throw new HttpError(
        "Overloaded",
        `There are ${this.#max} ${this.#what} already, which is as many as there may be: try again`,
      );
    }
    this.#taken++;
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      this.#taken--;
    };
  }
}
