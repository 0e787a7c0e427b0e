/** How long work gives way to everything else that waits. */

import type { Clock } from "../clock.ts";

/** Resolves when whatever waits has had its turn, as the clock has it. */
export function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.defer(resolve));
}
