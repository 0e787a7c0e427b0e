/**
 * The store on a simulated disk whose power is cut at random calls. After each cut: everything
 * acknowledged is there, nothing is that was not written, and the state is a prefix of the log.
 *
 * `CAIRN_CRASH_SEEDS=100000` runs that many seeds, `CAIRN_CRASH_SEED=7` runs one of them.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { Durability } from "../../lib/store/types.ts";
import { runCrashSeed } from "../support/crash_run.ts";

const SEEDS_DEFAULT = 300;
const TIMEOUT_MS = 3_600_000;
const DURABILITIES: Record<string, Durability> = {
  immediate: "immediate",
  batched: { bytes: 4096, millis: 100 },
};

const one = process.env["CAIRN_CRASH_SEED"];
const count = Number(process.env["CAIRN_CRASH_SEEDS"] ?? SEEDS_DEFAULT);
const seeds = one === undefined ? Array.from({ length: count }, (_, seed) => seed) : [Number(one)];

for (const [name, durability] of Object.entries(DURABILITIES)) {
  test(
    `no promise is broken by power cuts and kills, durability ${name}`,
    { timeout: TIMEOUT_MS },
    async () => {
      let stops = 0;
      for (const seed of seeds) stops += await runCrashSeed(seed, durability);
      assert(stops >= seeds.length, "the machine did stop");
    },
  );
}
