/** When a simulated disk fails without stopping: one error at a call chosen beforehand, or no room. */

import { SystemError } from "../../lib/fs/io_error.ts";

/**
 * What fails: one read; one write or change of a name; one sync; or every write from some call on,
 * because the disk is full.
 */
export type FaultKind = "read" | "write" | "sync" | "full";

/** All kinds, to choose from; the one that does most harm comes up most often. */
export const FAULT_KINDS: readonly FaultKind[] = ["read", "write", "sync", "sync", "full"];

/** At most one fault at a time. */
export class DiskFaults {
  /** Whether a fault has struck since the last {@link heal}. */
  struck = false;

  #kind: FaultKind | undefined;
  #callsLeft = Infinity;

  /** The `count`th call of this kind from now on fails; `full`: and all writes after it. */
  plan(kind: FaultKind, count: number): void {
    this.#kind = kind;
    this.#callsLeft = count;
  }

  /** Nothing fails any more, and what has failed is forgotten. */
  heal(): void {
    this.struck = false;
    this.#kind = undefined;
    this.#callsLeft = Infinity;
  }

  /** Counts a call; returns the error with which it fails, if it does. */
  errorOf(call: "read" | "write" | "sync"): SystemError | undefined {
    const kind = this.#kind;
    if (kind === undefined || (kind === "full" ? "write" : kind) !== call) return undefined;
    if (--this.#callsLeft > 0) return undefined;
    this.struck = true;
    if (kind === "full") return new SystemError("ENOSPC", "the simulated disk is full");
    this.#kind = undefined;
    return new SystemError("EIO", `the simulated disk failed to ${call}`);
  }
}
