/**
 * Crashes the store on a simulated disk, as often as asked for:
 *
 *     deno task test:crash --seeds 100000
 *     deno task test:crash --seeds 1000 --from 5000 --jobs 4
 *     deno task test:crash --seed 7
 *     deno task test:crash --seed 7 --bun
 *
 * Says how to repeat what failed, and ends with 1 if anything did.
 */

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { BUN, ROOT } from "./toolchain.ts";

interface SeedReport {
  seed: number;
  stops?: number;
  faults?: number;
  copies?: number;
  tornTails?: number;
  checkpoints?: number;
  failure?: string;
}

const SEEDS_DEFAULT = 5000;
const PROGRESS_EVERY_MS = 10_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string" },
    from: { type: "string" },
    jobs: { type: "string" },
    bun: { type: "boolean", default: false },
  },
});
const program = values.bun
  ? [BUN]
  : [Deno.execPath(), "run", "--frozen", "--no-check", "--allow-all"];
for (const [name, value] of Object.entries(values)) {
  if (typeof value === "boolean" || /^[0-9]+$/.test(value)) continue;
  console.error(`--${name} is ${JSON.stringify(value)}: it must be a number`);
  Deno.exit(2);
}
const from = Number(values.seed ?? values.from ?? 0);
const count = values.seed === undefined ? Number(values.seeds ?? SEEDS_DEFAULT) : 1;
const jobs = Math.max(1, Math.min(count, Number(values.jobs ?? availableParallelism())));

const started = performance.now();
let done = 0;
let stops = 0;
let faults = 0;
let copies = 0;
let tornTails = 0;
let checkpoints = 0;
let failures = 0;
const progress = setInterval(
  () => console.log(`${done} of ${count} seeds, ${rate()}`),
  PROGRESS_EVERY_MS,
);
const codes = await Promise.all(Array.from({ length: jobs }, (_, job) => runJob(job)));
clearInterval(progress);
console.log(
  `${done} seeds from ${from} on, ${stops} stops, ${faults} failures of the disk, ` +
    `${tornTails} torn tails, ${checkpoints} checkpoints, ${copies} copies, ${rate()}: ${failures} seeds failed`,
);
Deno.exit(failures === 0 && done === count && codes.every((code) => code === 0) ? 0 : 1);

/** Runs one share of the seeds in a process of its own. */
async function runJob(job: number): Promise<number> {
  const [command, ...args] = program;
  const range = [from + job, from + count, jobs].map(String);
  const child = spawn(command!, [...args, "scripts/crash_seeds.ts", ...range], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number>((resolve) => {
    child.on("close", (code) => resolve(code ?? 1));
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    take(JSON.parse(line) as SeedReport);
  }
  return await ended;
}

function take(report: SeedReport): void {
  done++;
  stops += report.stops ?? 0;
  faults += report.faults ?? 0;
  copies += report.copies ?? 0;
  tornTails += report.tornTails ?? 0;
  checkpoints += report.checkpoints ?? 0;
  if (report.failure === undefined) return;
  failures++;
  console.error(`FAILED: ${report.failure}\n`);
}

function rate(): string {
  const seconds = (performance.now() - started) / 1000;
  return `${(done / seconds).toFixed(0)} seeds/s`;
}
