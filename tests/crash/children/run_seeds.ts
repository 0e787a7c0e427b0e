/** Runs the seeds given, one after the other, and says of each what it did, as one number. */

import process from "node:process";
import { runCrashSeed } from "../../support/crash_run.ts";
import { say } from "./say.ts";

for (const seed of process.argv.slice(2)) {
  say(`${seed}: ${(await runCrashSeed(Number(seed))).fingerprint}`);
}
