/** How often a second something can be done, when what is fixed is the time and not the work. */

import { perSecond } from "../workload.ts";

/** Part of the time that does not count: compilers and caches warm up. */
const WARM_UP_SHARE = 0.25;

/** Calls `step` until the time is over; steps a second, of which at least one after the warm-up. */
export async function rate(millis: number, step: () => unknown): Promise<number> {
  const begin = performance.now();
  const countFrom = begin + millis * WARM_UP_SHARE;
  const end = countFrom + millis;
  let count = 0;
  let startedAt = 0;
  for (;;) {
    const now = performance.now();
    if (startedAt === 0 && now >= countFrom) startedAt = now;
    if (now >= end && count > 0) return perSecond(count, now - startedAt);
    await step();
    if (startedAt !== 0) count++;
  }
}
