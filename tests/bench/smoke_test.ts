/** The harness itself, with sizes that prove nothing but that it works. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inDirectory, orderOf } from "../../bench/measures/measure.ts";
import { TASKS } from "../../bench/tasks/mod.ts";
import { rate } from "../../bench/tasks/rate.ts";
import type { Figures, TaskInput } from "../../bench/tasks/task.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const BUN = `${PROJECT}node_modules/bun/bin/bun.exe`;

function run(task: string, input: Partial<TaskInput>): Promise<Figures> {
  return inDirectory(tmpdir(), (directory) => {
    const sizes = { keys: 100, millis: 5, valueBytes: 100 };
    return TASKS[task]!({ subject: "cairn", directory, ...sizes, ...input });
  });
}

function assertFigures(figures: Figures, names: readonly string[]): void {
  assert.deepEqual(Object.keys(figures).sort(), names.toSorted());
  for (const name of names) assert(figures[name]! > 0, name);
}

for (const subject of ["cairn", "map"]) {
  test(`bench: bulk set and random get of ${subject}`, async () => {
    const names = ["setPerSecond", "getPerSecond"];
    const own = subject === "cairn" ? ["getAsyncPerSecond"] : [];
    assertFigures(await run("bulk", { subject }), [...names, ...own]);
  });
}

for (const subject of ["cairn", "bare"]) {
  test(`bench: durable sets of ${subject}, alone and 64 at once`, async () => {
    assertFigures(await run("durableOne", { subject }), ["setPerSecond"]);
    assertFigures(await run("durableMany", { subject }), ["setPerSecond"]);
  });
}

test("bench: threads that read, beside each other and beside a writer", async () => {
  const both = ["getPerSecond", "setPerSecond"];
  assertFigures(await run("threads", { subject: "2 readers" }), ["getPerSecond"]);
  assertFigures(await run("threads", { subject: "2 stores on 2 threads" }), ["getPerSecond"]);
  const figures = await run("threads", { subject: "writer, 1 reader" });
  assert(figures["failedPerMillionGets"]! >= 0);
  delete figures["failedPerMillionGets"];
  assertFigures(figures, both);
});

test("bench: what is prepared can be opened, with all keys", async () => {
  await inDirectory(tmpdir(), async (directory) => {
    const input = { subject: "cairn", directory, keys: 100, millis: 5, valueBytes: 100 };
    await TASKS["prepare"]!(input);
    assertFigures(await TASKS["openClean"]!(input), ["openSeconds"]);
    await assert.rejects(TASKS["openClean"]!({ ...input, keys: 101 }), /100 of 101 keys/);
  });
});

test("bench: a rate is of at least one step, however little time there is", async () => {
  let steps = 0;
  assert(await rate(0, () => steps++) > 0);
  assert(steps > 0);
});

test("bench: the directory of a task is gone when that is done, and when it fails", async () => {
  const parent = mkdtempSync(join(tmpdir(), "cairn-bench-test-"));
  try {
    await inDirectory(parent, (directory) => {
      assert.deepEqual(readdirSync(parent), [basename(directory)]);
      return Promise.resolve();
    });
    await assert.rejects(inDirectory(parent, () => Promise.reject(new Error("failed"))), /failed/);
    assert.deepEqual(readdirSync(parent), []);
  } finally {
    rmSync(parent, { recursive: true });
  }
});

test("bench: subjects take turns, every other round backwards", () => {
  assert.deepEqual([0, 1, 2].map((round) => orderOf(["a", "b", "c"], round).join("")), [
    "abc",
    "cba",
    "abc",
  ]);
});

test("bench: a run of the harness, with no peers, tells figures and leaves nothing behind", () => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-bench-test-"));
  try {
    const sizes = ["--keys", "100", "--rounds", "2", "--millis", "5", "--dir", directory];
    const { status, stdout, stderr } = spawnSync(
      BUN,
      ["bench/main.ts", "--only", "bulk", "--runtime", "bun", "--peers", "map", ...sizes],
      { cwd: PROJECT, encoding: "utf8" },
    );
    assert.equal(stderr, "");
    assert.equal(status, 0);
    assert.match(stdout, /^bun +bulk +round 1 +cairn +setPerSecond [\d,.]+, getPerSecond/m);
    assert.match(stdout, /^ {2}map +getPerSecond +[\d,]+ {2}\([\d,]+ to [\d,]+\)$/m);
    assert.deepEqual(readdirSync(directory), []);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("bench: a mistake in the options is told in one line", () => {
  const { status, stderr } = spawnSync(BUN, ["bench/main.ts", "--only", "swim"], {
    cwd: PROJECT,
    encoding: "utf8",
  });
  assert.equal(status, 2);
  assert.match(stderr, /^--only swim: the rows are .+\n$/);
});
