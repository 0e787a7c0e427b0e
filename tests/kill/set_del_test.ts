/** The executable, killed at every call of `set` and `del`: opening, writing and closing. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { killSkipped } from "../support/kill_skipped.ts";
import { killAtEveryCall, telling } from "../support/kill_scenario.ts";
import { contentsOf, NOTHING } from "../support/planned_writes.ts";
import { prepareStore } from "../support/prepared_store.ts";
import { PrivateExecutable } from "../support/private_executable.ts";
import { testUnless } from "../support/test_unless.ts";

const START = [[["a", "1"]], [["b", "2"]], [["c", "3"]]] as const;

testUnless(killSkipped, "killed at every call of the set that creates a store", async () => {
  using executable = new PrivateExecutable();
  mkdirSync(executable.join("base"));
  const count = await killAtEveryCall(executable, {
    base: executable.join("base"),
    command: (db) => [executable.path, "set", "--json", "--db", db, "a", "1"],
    plan: { start: NOTHING, steps: [[["a", "1"]]] },
    session: telling(1),
  });
  assert(count >= 30, `${count} calls`);
});

testUnless(killSkipped, "killed at every call of a set in a store that exists", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), START);
  const count = await killAtEveryCall(executable, {
    base: executable.join("base"),
    command: (db) => [executable.path, "set", "--json", "--db", db, "b", "new"],
    plan: { start: await contentsOf(executable.join("base", "db")), steps: [[["b", "new"]]] },
    session: telling(1),
  });
  assert(count >= 8, `${count} calls`);
});

testUnless(killSkipped, "killed at every call of a del of several keys", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), START);
  const count = await killAtEveryCall(executable, {
    base: executable.join("base"),
    command: (db) => [executable.path, "del", "--json", "--db", db, "a", "c"],
    plan: {
      start: await contentsOf(executable.join("base", "db")),
      steps: [[["a", undefined]], [["c", undefined]]],
    },
    session: telling(2),
  });
  assert(count >= 8, `${count} calls`);
});

testUnless(killSkipped, "killed at every call of a long set, which ends with a hint", async () => {
  using executable = new PrivateExecutable();
  // More than what is to come, lest that looks like a log of which most is dead.
  await prepareStore(executable.join("base"), [...START, [["d", "longer ".repeat(1_000_000)]]]);
  const value = "long value ".repeat(500_000);
  const count = await killAtEveryCall(executable, {
    base: executable.join("base"),
    command: (db) => [executable.path, "set", "--json", "--db", db, "b", "-"],
    plan: { start: await contentsOf(executable.join("base", "db")), steps: [[["b", value]]] },
    session: telling(1, value),
    varies: true,
  });
  assert(count >= 15, `${count} calls`);
});
