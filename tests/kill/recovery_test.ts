/** The executable, killed at every call while it opens what an earlier kill left behind. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, statSync, truncateSync } from "node:fs";
import { killAtEveryCall, telling } from "../support/kill_scenario.ts";
import { killSkipped } from "../support/kill_skipped.ts";
import { contentsOf, NOTHING } from "../support/planned_writes.ts";
import { churn, prepareStore } from "../support/prepared_store.ts";
import { PrivateExecutable } from "../support/private_executable.ts";
import { type CallSite, runUntil } from "../support/system_calls.ts";
import { testUnless } from "../support/test_unless.ts";

const FIRST_LOG = "db/wal/0000000001.log";
const START = [[["a", "1"]], [["b", "2"]]] as const;

testUnless(killSkipped, "killed while it cuts a torn tail off", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), START);
  // Longer than what is written next, which would otherwise hide it. The first fsync is the opening's.
  const value = "torn ".repeat(1000);
  await killOnce(executable, { call: "fdatasync", path: FIRST_LOG, nth: 2 }, "set", "b", value);
  const log = executable.join("base", FIRST_LOG);
  truncateSync(log, statSync(log).size - 3);
  await killRecovery(executable, 10);
});

testUnless(killSkipped, "killed while it makes the last write durable", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), START);
  await killOnce(executable, { call: "fdatasync", path: FIRST_LOG, nth: 2 }, "set", "b", "whole");
  await killRecovery(executable, 10);
});

testUnless(killSkipped, "killed while it clears up before a compaction took effect", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), churn(30, 100));
  await killOnce(executable, { call: "rename", path: "db/wal/ACTIVE.tmp", nth: 2 }, "compact");
  assert(existsSync(executable.join("base", "db/wal/ACTIVE.tmp")));
  await killRecovery(executable, 12);
});

testUnless(killSkipped, "killed while it clears up after a compaction took effect", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), churn(30, 100));
  await killOnce(executable, { call: "unlink", path: FIRST_LOG, nth: 1 }, "compact");
  assert(existsSync(executable.join("base", FIRST_LOG)));
  await killRecovery(executable, 12);
});

testUnless(killSkipped, "killed while it begins a store once more", async () => {
  using executable = new PrivateExecutable();
  mkdirSync(executable.join("base"));
  await killOnce(
    executable,
    { call: "rename", path: "db/wal/ACTIVE.tmp", nth: 1 },
    "set",
    "a",
    "1",
  );
  await killRecovery(executable, 12);
});

/** Lets `cairn` with these arguments work on the base directory, up to a call. */
async function killOnce(
  executable: PrivateExecutable,
  site: CallSite,
  command: string,
  ...args: string[]
): Promise<void> {
  const base = executable.join("base");
  const run = [executable.path, command, "--db", `${base}/db`, ...args];
  const { signal } = await runUntil(site, run, base);
  assert.equal(signal, "SIGKILL");
}

/** Kills the set that comes next at every call. */
async function killRecovery(executable: PrivateExecutable, countMin: number): Promise<void> {
  const base = executable.join("base");
  const isStore = existsSync(`${base}/db/wal/ACTIVE`);
  const count = await killAtEveryCall(executable, {
    base,
    command: (db) => [executable.path, "set", "--json", "--db", db, "c", "3"],
    plan: {
      start: isStore ? await contentsOf(`${base}/db`) : NOTHING,
      steps: [[["c", "3"]]],
    },
    session: telling(1),
    sitesMax: 12,
  });
  assert(count >= countMin, `${count} calls`);
}
