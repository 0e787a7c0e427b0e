/**
 * Runs every `step`th seed from `from` to below `end`, one after the other, and says after each how
 * it went, as a line of JSON. `test_crash.ts` starts one of these for each core.
 */

import process from "node:process";
import { runCrashSeed } from "../tests/support/crash_run.ts";

const [from = 0, end = 0, step = 1] = process.argv.slice(2).map(Number);
for (let seed = from; seed < end; seed += step) {
  try {
    console.log(JSON.stringify({ seed, ...await runCrashSeed(seed) }));
  } catch (error) {
    const cause = (error as Error).cause;
    const stack = cause instanceof Error ? cause.stack : undefined;
    console.log(JSON.stringify({ seed, failure: `${error}\n${stack ?? ""}` }));
  }
}
