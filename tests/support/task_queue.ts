/** Scheduling owned by a test: what was put off runs when the test says so, in an order by seed. */

import type { SeededRandom } from "./seeded_random.ts";
import { turn } from "./test_store.ts";

/** Tasks that wait for their turn. */
export class TaskQueue {
  readonly #random: SeededRandom;
  #tasks: (() => void)[] = [];

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** How many wait. */
  get size(): number {
    return this.#tasks.length;
  }

  /** Puts a task off. */
  readonly later = (task: () => void): void => {
    this.#tasks.push(task);
  };

  /**
   * Runs one of the tasks that wait, if any, and then everything that follows from it. Nothing but
   * promises follows: the event loop is turned only to let all of those settle.
   */
  async runOne(): Promise<void> {
    if (this.#tasks.length > 0) {
      const [task] = this.#tasks.splice(this.#random.below(this.#tasks.length), 1);
      task!();
    }
    await turn();
  }
}
