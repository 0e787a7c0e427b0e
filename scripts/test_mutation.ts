/**
 * Takes every rule that keeps data safe out of the engine, one at a time, and shows that some test
 * fails for each:
 *
 *     deno task test:mutation
 *     deno task test:mutation --only tombstone --jobs 1
 *     deno task test:mutation --quick    (only the tests that are the likeliest to fail)
 *     deno task test:mutation --list
 *
 * The mutants are in tests/mutation/groups. Tests run under Bun, on private copies of the project.
 */

import { parseArgs } from "node:util";
import { editsOf, type Mutant } from "../tests/mutation/mutant.ts";
import { MUTANT_GROUPS } from "../tests/mutation/mutants.ts";
import { fullNameOf, isAsDocumented, type Outcome, showOutcome } from "./mutation_outcome.ts";
import { MutationWorkspace } from "./mutation_workspace.ts";

const JOBS_DEFAULT = 2;
const JOBS_MAX = 64;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    jobs: { type: "string", default: String(JOBS_DEFAULT) },
    quick: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
  },
});
const jobs = Number(values.jobs);
if (!Number.isInteger(jobs) || jobs < 1 || jobs > JOBS_MAX) {
  console.error(`--jobs is ${JSON.stringify(values.jobs)}: it must be a number up to ${JOBS_MAX}`);
  Deno.exit(2);
}
const chosen = MUTANT_GROUPS.flatMap(({ name, mutants }) =>
  mutants.map((mutant) => ({ group: name, mutant }))
).filter(({ group, mutant }) =>
  fullNameOf(group, mutant).toLowerCase().includes((values.only ?? "").toLowerCase())
);
if (chosen.length === 0) {
  console.error(`--only is ${JSON.stringify(values.only)}: no mutant's name contains it`);
  Deno.exit(2);
}
if (values.list) {
  for (const { group, mutant } of chosen) console.log(describe(group, mutant));
  Deno.exit(0);
}

const started = performance.now();
const outcomes: { group: string; mutant: Mutant; outcome: Outcome }[] = [];
const workspaces = await Promise.all(
  Array.from({ length: Math.min(jobs, chosen.length) }, () => MutationWorkspace.create()),
);
const obstacle = await run().finally(() => {
  for (const workspace of workspaces) workspace.remove();
});
if (obstacle !== undefined) {
  console.error(obstacle);
  Deno.exit(1);
}

for (const { name } of MUTANT_GROUPS) {
  const ofGroup = outcomes.filter(({ group }) => group === name);
  if (ofGroup.length === 0) continue;
  const caught = ofGroup.filter(({ outcome }) => outcome.kind === "caught").length;
  const equivalent = ofGroup.filter(({ mutant, outcome }) =>
    outcome.kind === "survived" && mutant.equivalent !== undefined
  ).length;
  console.log(`${name}: ${ofGroup.length} mutants, ${caught} caught, ${equivalent} equivalent`);
}
const wrong = outcomes.filter(({ mutant, outcome }) => !isAsDocumented(mutant, outcome));
for (const { group, mutant, outcome } of wrong) {
  console.log(`NOT AS IT SHOULD BE: ${fullNameOf(group, mutant)}: ${showOutcome(mutant, outcome)}`);
}
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(`${outcomes.length} mutants in ${minutes} min, ${wrong.length} not as they should be`);
Deno.exit(wrong.length === 0 ? 0 : 1);

function describe(group: string, mutant: Mutant): string {
  const places = new Set(editsOf(mutant).map(({ file }) => file));
  const equivalent = mutant.equivalent === undefined
    ? ""
    : `\n    equivalent: ${mutant.equivalent.because}`;
  return `${fullNameOf(group, mutant)}\n    ${[...places].join(", ")}: ${mutant.why}${equivalent}`;
}

/** Judges all that were chosen; returns why that would prove nothing, if it would not. */
async function run(): Promise<string | undefined> {
  const isComplete = values.only === undefined && !values.quick;
  const [problem, failing] = await Promise.all([
    workspaces[0]!.findInvalid(chosen.map(({ mutant }) => mutant)),
    isComplete ? workspaces.at(-1)!.runAllTests() : undefined,
  ]);
  if (problem !== undefined) {
    return `A mutant is no valid program, so a test that fails would prove nothing:\n${problem}`;
  }
  if (failing !== undefined) {
    return `This test fails without any mutant, so a failure would prove nothing: ${failing}`;
  }
  const queue = [...chosen];
  await Promise.all(workspaces.map(async (workspace) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { group, mutant } = next;
      const outcome = await workspace.judge(mutant, values.quick);
      outcomes.push({ group, mutant, outcome });
      const number = `${outcomes.length}/${chosen.length}`;
      console.log(`${number} ${fullNameOf(group, mutant)}\n    ${showOutcome(mutant, outcome)}`);
    }
  }));
  return undefined;
}
