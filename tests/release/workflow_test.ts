/** Holds the workflows of GitHub against its own parser, the project's tasks, and rules of caution. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import config from "../../deno.json" with { type: "json" };
import { TARGETS } from "../../scripts/release/target.ts";
import { PROJECT, readText } from "../docs/markdown.ts";
import { bunPath } from "../support/runtimes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const DIRECTORY = ".github/workflows/";
const CHILD = fileURLToPath(new URL("children/workflow_errors.ts", import.meta.url));
const NAMES = readdirSync(PROJECT + DIRECTORY).sort();

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}

interface Job {
  uses?: string;
  steps?: Step[];
  permissions?: Record<string, string>;
  "timeout-minutes"?: number;
  strategy?: { matrix: { include?: { target: string }[] } };
}

interface Workflow {
  permissions: Record<string, string>;
  jobs: Record<string, Job>;
}

const workflows = new Map(
  NAMES.map((name) => [name, parse(readText(DIRECTORY + name)) as Workflow]),
);
const jobs = [...workflows].flatMap(([file, workflow]) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ place: `${file}: ${name}`, job }))
);
const steps = jobs.flatMap(({ place, job }) => (job.steps ?? []).map((step) => ({ place, step })));

/** What the parser says; it needs Bun, because Deno does not load the JSON that it imports. */
function errorsOf(...paths: string[]): string[] {
  const { stdout, stderr } = spawnSync(bunPath!, [CHILD, ...paths], { encoding: "utf8" });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as string[];
}

testUnless(
  bunPath === undefined ? "there is no bun" : undefined,
  "workflows: GitHub's parser finds nothing wrong",
  () => {
    assert.deepEqual(NAMES, ["release.yml", "test.yml"]);
    assert.deepEqual(errorsOf(...NAMES.map((name) => PROJECT + DIRECTORY + name)), []);
    using directory = new TemporaryDirectory();
    const wrong = directory.join("wrong.yml");
    const text = readFileSync(`${PROJECT}${DIRECTORY}release.yml`, "utf8");
    writeFileSync(
      wrong,
      text.replace("matrix.os", "matrix_os").replace("needs: build", "needs: built"),
    );
    assert.equal(errorsOf(wrong).length > 0, true);
  },
);

test("workflows: every action is pinned to a commit, and says which version that is", () => {
  const uses = NAMES.flatMap((name) =>
    readText(DIRECTORY + name).split("\n").filter((line) => /\buses:/.test(line))
  ).filter((line) => !line.includes("uses: ./.github/workflows/"));
  assert(uses.length > 10);
  for (const line of uses) {
    assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  }
  // One version of each, everywhere.
  const actions = new Set(uses.map((line) => line.replace(/.*uses: /, "")));
  assert.equal(new Set([...actions].map((each) => each.split("@")[0])).size, actions.size);
});

test("workflows: jobs may read, and only those that publish may write", () => {
  for (const [name, { permissions }] of workflows) {
    assert.deepEqual(permissions, { contents: "read" }, name);
  }
  const writing = jobs.filter(({ job }) => Object.values(job.permissions ?? {}).includes("write"));
  assert.deepEqual(writing.map(({ place }) => place), ["release.yml: publish", "release.yml: jsr"]);
  // They run no code of the repository's but what `deno publish` needs.
  const commands = writing.flatMap(({ job }) => job.steps ?? []).flatMap(({ run }) => run ?? []);
  assert.deepEqual(commands.map((each) => each.split(" ").slice(0, 2).join(" ")), [
    "sha256sum --check",
    "gh release",
    "deno install",
    "deno publish",
  ]);
});

test("workflows: what is run exists, has an end, and takes nothing from outside into a shell", () => {
  for (const { place, job } of jobs) {
    assert(job.uses !== undefined || Number.isInteger(job["timeout-minutes"]), place);
  }
  const tasks = new Set(Object.keys(config.tasks));
  let seen = 0;
  for (const { place, step: { run, uses, with: inputs } } of steps) {
    if (uses?.startsWith("actions/checkout@")) {
      assert.equal(inputs?.["persist-credentials"], false, place);
    }
    if (uses?.startsWith("denoland/setup-deno@")) {
      assert(readText(".ci/run").includes(`deno_version=${inputs?.["deno-version"]}\n`), place);
    }
    if (run === undefined) continue;
    assert(!run.includes("${{"), `${place}: ${run}`);
    for (const [, task] of run.matchAll(/\bdeno task (\S+)/g)) {
      assert(tasks.has(task!), `${place}: deno task ${task}`);
      seen++;
    }
    if (run.startsWith(".ci/")) {
      assert(existsSync(PROJECT + run) && (statSync(PROJECT + run).mode & 0o111) !== 0);
    }
  }
  assert(seen >= 4);
});

test("workflows: every platform of a release is tried before it is published", () => {
  const { jobs } = workflows.get("release.yml")!;
  const tried = ["try", "try-musl"].flatMap((name) =>
    jobs[name]!.strategy!.matrix.include!.map(({ target }) => target)
  );
  assert.deepEqual(tried.sort(), TARGETS.map(({ name }) => name).sort());
});
