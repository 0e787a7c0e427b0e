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
  let stops = 0;
  let faults = 0;
  let backups = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const report = await runCrashSeed(seed);
    stops += report.stops;
    faults += report.faults;
    backups += report.backups;
  }
  assert(stops > 2 * SEEDS, "the machine did stop");
  assert(faults > SEEDS / 4, "the disk did fail");
  assert(backups > SEEDS / 4, "backups were made");
});

test("a seed decides everything: the same one again is the same life again", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    assert.deepEqual(await runCrashSeed(seed), await runCrashSeed(seed), `seed ${seed}`);
  }
});
