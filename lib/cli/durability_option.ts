/** What `--durability` means where nothing else is said. */

import type { Durability } from "../mod.ts";

/** With `batch`, an fsync follows after so many bytes. */
export const BATCH_BYTES_DEFAULT = 1 << 20;
/** Or after so many milliseconds. */
export const BATCH_MILLIS_DEFAULT = 100;

/** What `--durability` accepts. */
export const DURABILITY_NAMES = ["immediate", "batch"] as const;
/** One of {@link DURABILITY_NAMES}. */
export type DurabilityName = typeof DURABILITY_NAMES[number];

/** The policy of that name. */
export function durabilityNamed(name: DurabilityName): Durability {
  return name === "immediate"
    ? "immediate"
    : { bytes: BATCH_BYTES_DEFAULT, millis: BATCH_MILLIS_DEFAULT };
}
