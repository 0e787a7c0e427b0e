/** The executable, killed at every call of `compact`, which begins with a rotation. */

import assert from "node:assert/strict";
import { killAtEveryCall } from "../support/kill_scenario.ts";
import { killSkipped } from "../support/kill_skipped.ts";
import { contentsOf } from "../support/planned_writes.ts";
import { churn, prepareStore } from "../support/prepared_store.ts";
import { PrivateExecutable } from "../support/private_executable.ts";
import { testUnless } from "../support/test_unless.ts";

testUnless(killSkipped, "killed at every call of compact, over one segment", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), churn(30, 100));
  await killCompact(executable);
});

testUnless(killSkipped, "killed at every call of compact, over several segments", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), churn(60, 200), { segmentBytesMax: 4096 });
  await killCompact(executable);
});

testUnless(killSkipped, "killed at every call of compact, with nothing left to keep", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), [
    [["a", "1"], ["b", "2"]],
    [["a", undefined], ["b", undefined]],
  ]);
  await killCompact(executable);
});

async function killCompact(executable: PrivateExecutable): Promise<void> {
  const count = await killAtEveryCall(executable, {
    base: executable.join("base"),
    command: (db) => [executable.path, "compact", "--db", db],
    plan: { start: await contentsOf(executable.join("base", "db")), steps: [] },
    sitesMax: 18,
    varies: true,
  });
  assert(count >= 14, `${count} calls`);
}
