/** How long work gives way to everything else that waits. */

import { systemClock } from "../clock.ts";

/** Resolves when the event loop has come round. */
export function pause(): Promise<void> {
  return new Promise((resolve) => systemClock.defer(resolve));
}
