/** A program that embeds the store, killed at every call while segments fill up. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { killAtEveryCall, type KillScenario } from "../support/kill_scenario.ts";
import { killSkipped } from "../support/kill_skipped.ts";
import { contentsOf, NOTHING } from "../support/planned_writes.ts";
import { churn, prepareStore } from "../support/prepared_store.ts";
import { PrivateExecutable } from "../support/private_executable.ts";
import { bunPath } from "../support/runtimes.ts";
import { testUnless } from "../support/test_unless.ts";
import { ROTATION_STEPS } from "../support/rotation_plan.ts";

const CHILD = fileURLToPath(new URL("children/rotate.ts", import.meta.url));
/** With CAIRN_KILL_ALL=1 there are some two hundred cases. */
const TIMEOUT_MS = 1_200_000;
const skipped = killSkipped ?? (bunPath === undefined ? "no Bun here" : undefined);

function scenario(executable: PrivateExecutable, ...args: string[]): KillScenario {
  return {
    base: executable.join("base"),
    command: (db) => [bunPath!, CHILD, db, ...args],
    plan: { start: NOTHING, steps: ROTATION_STEPS },
    acknowledged: (stdout) => stdout.split("\n").length - 1,
    sitesMax: 14,
    // Which thread syncs depends on how long the last one took.
    varies: true,
  };
}

testUnless(skipped, "killed while a new store writes, rotates and hints", async () => {
  using executable = new PrivateExecutable();
  mkdirSync(executable.join("base"));
  const count = await killAtEveryCall(executable, scenario(executable));
  assert(count >= 10, `${count} calls`);
}, TIMEOUT_MS);

testUnless(skipped, "killed while a store with a past writes, rotates and compacts", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), churn(30, 200), { segmentBytesMax: 4096 });
  const start = await contentsOf(executable.join("base", "db"));
  const count = await killAtEveryCall(executable, {
    ...scenario(executable, "compact"),
    plan: { start, steps: ROTATION_STEPS },
  });
  assert(count >= 10, `${count} calls`);
}, TIMEOUT_MS);
