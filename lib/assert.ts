/** Assertions about Cairn's own reasoning. They stay on in production: wrong data is worse than none. */

/**
 * Thrown when Cairn finds its own state to be impossible: a defect to report, never bad input.
 *
 * @example
 * ```ts
 * import { InvariantError, KvError, KvStore } from "@cairn/kv";
 *
 * await using store = await KvStore.open("./data");
 * try {
 *   await store.set("", "a key has at least one byte");
 * } catch (error) {
 *   if (error instanceof InvariantError) throw error; // report it
 *   console.log(error instanceof KvError && error.code); // InvalidKey
 * }
 * ```
 */
export class InvariantError extends Error {
  /** Creates an error that names the broken invariant. */
  constructor(message: string) {
    super(`Invariant broken (a defect in Cairn, please report it): ${message}`);
    this.name = "InvariantError";
  }
}

/** Throws an {@link InvariantError} unless `condition` holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
