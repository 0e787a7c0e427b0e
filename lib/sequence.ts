/** What threads need beside `Atomics` to tell by a sequence number whether something has changed. */

import process from "node:process";

/**
 * On these, a read is never done after one that follows it. On others, such as ARM, it may be done
 * after an atomic load, but not after an atomic addition.
 */
const READS_IN_ORDER = process.arch === "x64" || process.arch === "ia32";

/** Loads a sequence number, after everything that was read before it. */
export function loadAfterReads(view: Int32Array, at: number): number {
  return READS_IN_ORDER ? Atomics.load(view, at) : Atomics.add(view, at, 0);
}
