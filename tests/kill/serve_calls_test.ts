/**
 * `cairn serve`, killed at every call from opening to closing, while a client writes over HTTP,
 * segments fill up and are compacted.
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { killAtEveryCall, type KillScenario } from "../support/kill_scenario.ts";
import { killSkipped } from "../support/kill_skipped.ts";
import { PlanClient, type PlanClientOptions } from "../support/plan_client.ts";
import { contentsOf, NOTHING } from "../support/planned_writes.ts";
import { churn, prepareStore } from "../support/prepared_store.ts";
import { PrivateExecutable } from "../support/private_executable.ts";
import { ROTATION_SEGMENT_BYTES, ROTATION_STEPS } from "../support/rotation_plan.ts";
import { testUnless } from "../support/test_unless.ts";
import { runServer } from "../support/traced_server.ts";

/** With CAIRN_KILL_ALL=1 there are some two hundred cases. */
const TIMEOUT_MS = 1_200_000;

testUnless(
  killSkipped,
  "serve: killed at every call while a new store fills segments",
  async () => {
    using executable = new PrivateExecutable();
    mkdirSync(executable.join("base"));
    const count = await killAtEveryCall(executable, {
      ...scenario(executable, { durability: "immediate" }),
      plan: { start: NOTHING, steps: ROTATION_STEPS },
    });
    assert(count >= 10, `${count} calls`);
  },
  TIMEOUT_MS,
);

testUnless(killSkipped, "serve: killed at every call of two compactions and batches", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), churn(30, 200), { segmentBytesMax: 4096 });
  const start = await contentsOf(executable.join("base", "db"));
  const compactAfter = [10, ROTATION_STEPS.length];
  const count = await killAtEveryCall(executable, {
    ...scenario(executable, { durability: "batch", compactAfter }),
    plan: { start, steps: ROTATION_STEPS },
  });
  assert(count >= 10, `${count} calls`);
}, TIMEOUT_MS);

function scenario(
  executable: PrivateExecutable,
  options: PlanClientOptions,
): Omit<KillScenario, "plan"> {
  const segments = ["--segment-bytes", `${ROTATION_SEGMENT_BYTES}`];
  // Never by itself: what no flush has covered is in memory only, or in part.
  const batch = ["--durability", "batch", "--batch-bytes", "4096", "--batch-millis", "3600000"];
  const durability = options.durability === "batch" ? batch : [];
  const log = ["--log-format", "json", "--log-level", "info"];
  const serve = ["--http", "127.0.0.1:0", "--no-tcp", ...log, ...segments, ...durability];
  return {
    base: executable.join("base"),
    command: (db) => [executable.path, "serve", "--db", db, ...serve],
    session: () => {
      const client = new PlanClient(ROTATION_STEPS, options);
      return {
        run: (command) => runServer(command, (url) => client.talk(url)),
        acknowledged: () => client.acknowledged,
      };
    },
    sitesMax: 22,
    // Which thread syncs depends on how long the last one took.
    varies: true,
  };
}
