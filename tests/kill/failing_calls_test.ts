/** The executable on a disk that fails, or is full, at one call: no answer that is not true. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import {
  failAtEveryCall,
  type Failure,
  type KillScenario,
  telling,
} from "../support/kill_scenario.ts";
import { killSkipped } from "../support/kill_skipped.ts";
import { contentsOf, NOTHING } from "../support/planned_writes.ts";
import { churn, prepareStore } from "../support/prepared_store.ts";
import { PrivateExecutable } from "../support/private_executable.ts";
import { testUnless } from "../support/test_unless.ts";

const START = [[["a", "1"]], [["b", "2"]]] as const;

const FAILURES: Record<string, Failure> = {
  "EIO at every write and sync": { error: "EIO", calls: /^(?:fsync|fdatasync|pwrite64)$/ },
  "EIO at every change of names and lengths": {
    error: "EIO",
    calls: /^(?:openat|mkdir|rename|unlink|ftruncate)$/,
  },
  "ENOSPC at every write": { error: "ENOSPC", calls: /^pwrite64$/ },
};

for (const [name, failure] of Object.entries(FAILURES)) {
  testUnless(killSkipped, `${name} of the set that creates a store`, async () => {
    using executable = new PrivateExecutable();
    mkdirSync(executable.join("base"));
    const count = await failAtEveryCall(executable, {
      base: executable.join("base"),
      command: (db) => [executable.path, "set", "--json", "--db", db, "a", "1"],
      plan: { start: NOTHING, steps: [[["a", "1"]]] },
      session: telling(1),
    }, failure);
    assert(count >= 5, `${count} calls`);
  });

  testUnless(killSkipped, `${name} of a set and a del`, async () => {
    using executable = new PrivateExecutable();
    await prepareStore(executable.join("base"), START);
    const base = executable.join("base");
    const start = await contentsOf(`${base}/db`);
    const set: KillScenario = {
      base,
      command: (db) => [executable.path, "set", "--json", "--db", db, "b", "new"],
      plan: { start, steps: [[["b", "new"]]] },
      session: telling(1),
    };
    const del: KillScenario = {
      base,
      command: (db) => [executable.path, "del", "--json", "--db", db, "a", "b"],
      plan: { start, steps: [[["a", undefined]], [["b", undefined]]] },
      session: telling(2),
    };
    for (const scenario of [set, del]) {
      const count = await failAtEveryCall(executable, scenario, failure);
      assert(count >= 2, `${count} calls`);
    }
  });

  testUnless(killSkipped, `${name} of compact`, async () => {
    using executable = new PrivateExecutable();
    await prepareStore(executable.join("base"), churn(30, 100));
    const count = await failAtEveryCall(executable, {
      base: executable.join("base"),
      command: (db) => [executable.path, "compact", "--db", db],
      plan: { start: await contentsOf(executable.join("base", "db")), steps: [] },
      sitesMax: 14,
      varies: true,
    }, failure);
    assert(count >= 5, `${count} calls`);
  });
}
