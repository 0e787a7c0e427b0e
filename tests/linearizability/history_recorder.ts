/** Writes down what concurrent clients call and are told, and when. */

import type { Action, Operation, Result } from "./operation.ts";

/** One history. Calls and returns of all its clients are counted by one clock. */
export class HistoryRecorder {
  readonly operations: Operation[] = [];
  #time = 0;

  /** Operations whose outcome is unknown. */
  get unknownCount(): number {
    return this.operations.filter(({ result }) => result === undefined).length;
  }

  /**
   * Carries out an action and takes note of it. `perform` returns undefined if the outcome is
   * unknown; then the operation never returns, as it may take effect at any time.
   */
  async record(
    client: number,
    action: Action,
    perform: (action: Action) => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    // A count, not a time of day: two events at one instant would be neither before nor after.
    const operation: Operation = {
      client,
      action,
      call: ++this.#time,
      end: Infinity,
      result: undefined,
    };
    this.operations.push(operation);
    const result = await perform(action);
    if (result !== undefined) {
      operation.end = ++this.#time;
      operation.result = result;
    }
    return result;
  }
}
