/**
 * The store on a simulated disk that is cut off from power, fails and fills up at random calls.
 * After each cut: everything acknowledged is there, nothing is that was not written, and the state is
 * a prefix of the log. `deno task test:crash` runs more seeds than this, or one of them again;
 * CAIRN_CRASH_SEEDS sets how many of them run here.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { runCrashSeed } from "../support/crash_run.ts";

const SEEDS = Number(process.env["CAIRN_CRASH_SEEDS"] ?? 2000);
const TIMEOUT_MS = 1_800_000;

test("no promise is broken by power cuts, kills and failing disks", {
  timeout: TIMEOUT_MS,
}, async () => {
  const sum = {
    stops: 0,
    faults: 0,
    copies: 0,
    tornTails: 0,
    checkpoints: 0,
    compactions: 0,
    changes: 0,
  };
  for (let seed = 0; seed < SEEDS; seed++) {
    const report = await runCrashSeed(seed);
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += report[name];
  }
  // What was to be survived did happen.
  const least = {
    stops: 4,
    faults: 0.5,
    copies: 0.3,
    tornTails: 0.04,
    checkpoints: 0.2,
    compactions: 0.5,
    changes: 50,
  };
  for (const [name, share] of Object.entries(least)) {
    const count = sum[name as keyof typeof sum];
    assert(count > share * SEEDS, `${name}: ${count} in ${SEEDS} seeds`);
  }
});
