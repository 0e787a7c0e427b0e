/** When a simulated disk fails without stopping: one error at a call chosen beforehand, or no room. */

import { SystemError } from "../../lib/fs/io_error.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** What a file system is asked to do. */
export type FaultCall =
  | "read"
  | "write"
  | "create"
  | "rename"
  | "remove"
  | "sync"
  | "truncate"
  | "open"
  | "list"
  | "lock"
  | "make";

/** Calls that each kind of fault strikes, and how many of them to let pass, compared with writes. */
const KINDS = {
  read: { calls: ["read"], share: 1 },
  /** A write, or a change of a name. */
  write: { calls: ["write", "create", "rename", "remove"], share: 1 },
  /** Every write from some call on. */
  full: { calls: ["write", "create", "rename", "remove", "make"], share: 1 },
  sync: { calls: ["sync"], share: 1 },
  rename: { calls: ["rename"], share: 0.1 },
  remove: { calls: ["remove"], share: 0.2 },
  truncate: { calls: ["truncate"], share: 0.05 },
  open: { calls: ["open"], share: 0.1 },
  list: { calls: ["list"], share: 0.4 },
  lock: { calls: ["lock"], share: 0.01 },
  make: { calls: ["make"], share: 0.01 },
} satisfies Record<string, { calls: FaultCall[]; share: number }>;

/** What fails: one call of a kind; or with `full` every write from some call on. */
export type FaultKind = keyof typeof KINDS;

/** All kinds, to choose from; the one that does most harm comes up most often. */
const CHOICES: readonly FaultKind[] = [
  ...["sync", "sync", "sync", "sync", "write", "write", "full", "full", "read", "read"] as const,
  ...["rename", "remove", "truncate", "open", "list", "lock", "make"] as const,
];

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

  /** Plans any fault, to strike within about `callsMax` writes. */
  planAny(random: SeededRandom, callsMax: number): void {
    const kind = random.pick(CHOICES);
    this.plan(kind, random.between(1, Math.ceil(callsMax * KINDS[kind].share)));
  }

  /** Nothing fails any more, and what has failed is forgotten. */
  heal(): void {
    this.struck = false;
    this.#kind = undefined;
    this.#callsLeft = Infinity;
  }

  /** Counts a call; returns the error with which it fails, if it does. */
  errorOf(call: FaultCall): SystemError | undefined {
    const kind = this.#kind;
    if (kind === undefined) return undefined;
    const calls: readonly FaultCall[] = KINDS[kind].calls;
    if (!calls.includes(call) || --this.#callsLeft > 0) return undefined;
    this.struck = true;
    if (kind === "full") return new SystemError("ENOSPC", "the simulated disk is full");
    this.#kind = undefined;
    return new SystemError("EIO", `the simulated disk failed to ${call}`);
  }
}
