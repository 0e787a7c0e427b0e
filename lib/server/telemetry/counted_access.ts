/** The short way into a store, counted as the operations of the store are. */

import type { DirectAccess } from "../../mod.ts";
import type { ResultCounts } from "./operation_counts.ts";
import type { Tracing } from "./tracing.ts";

/** What a server uses that counts itself: it does so for many operations at a time. */
export interface CountedAccess {
  readonly direct: DirectAccess;
  /** Reads, by what came of them. */
  readonly gets: ResultCounts;
  /** Writes, likewise. */
  readonly sets: ResultCounts;
  /** While it is enabled, each operation is to have a span, which the short way cannot give it. */
  readonly tracing: Tracing;
}
