/**
 * The harness: runs Cairn and its peers on the same work in one run, holds what was measured against
 * the table of what shall be reached, and ends with 1 if a row falls short. See docs/performance.md.
 *
 *     deno task bench --help
 */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type BenchOptions, HELP, parseOptions, type Runtime, UsageError } from "./arguments.ts";
import { currentCommit, describeMachine, ROOT } from "./machine.ts";
import type { Measure } from "./measures/measure.ts";
import { MEASURES } from "./measures/mod.ts";
import {
  measurementOf,
  onMachine,
  readResults,
  type Results,
  withMeasurement,
  writeResults,
} from "./results.ts";
import { ROWS } from "./rows.ts";
import { measurementLines, verdictLines } from "./text_table.ts";
import { judge, type Verdict } from "./verdict.ts";

const RESULTS = join(ROOT, "bench/results/latest.json");

function isChosen(name: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((each) => name.startsWith(each));
}

/** Rows that were asked for; a measure's name stands for all its rows. */
function chosenRows({ only }: BenchOptions) {
  return ROWS.filter(({ name, measure }) => isChosen(name, only) || only.includes(measure));
}

async function measureAll(options: BenchOptions, before: Results): Promise<Results> {
  let results = before;
  const wanted = new Set(chosenRows(options).map(({ measure }) => measure));
  const parent = mkdtempSync(join(options.directory ?? tmpdir(), "cairn-bench-"));
  const onSignal = () => {
    rmSync(parent, { recursive: true, force: true });
    process.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, onSignal);
  try {
    for (const measure of MEASURES) {
      if (!wanted.has(measure.name)) continue;
      for (const runtime of options.runtimes) {
        if (options.resume && isMeasured(results, measure, runtime, options)) continue;
        results = await measureOne(measure, runtime, options, results, parent);
        if (options.peers === undefined) writeResults(RESULTS, results);
      }
    }
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
  return results;
}

function isMeasured(
  results: Results,
  measure: Measure,
  runtime: Runtime,
  options: BenchOptions,
): boolean {
  const found = measurementOf(results, measure.name, runtime);
  return found?.keys === measure.keys(options.keys) &&
    found.rounds === measure.rounds(options.rounds);
}

async function measureOne(
  measure: Measure,
  runtime: Runtime,
  options: BenchOptions,
  results: Results,
  parent: string,
): Promise<Results> {
  const { name } = measure;
  const keys = measure.keys(options.keys);
  const rounds = measure.rounds(options.rounds);
  const directory = join(parent, `${name}-${runtime}`);
  const log = (line: string) => console.log(`${runtime.padEnd(4)}  ${name.padEnd(14)} ${line}`);
  log(`${keys.toLocaleString("en")} keys, ${rounds} rounds`);
  const samples = await measure.run({ runtime, options, keys, rounds, directory, log });
  const { date, millis } = options;
  const about = { measure: name, runtime, date, commit: currentCommit(), keys, rounds, millis };
  return withMeasurement(results, { ...about, samples });
}

/** Prints everything that was asked for, and names the rows that fall short. */
function report(options: BenchOptions, results: Results): boolean {
  const rows = chosenRows(options);
  for (const name of new Set(rows.map(({ measure }) => measure))) {
    for (const runtime of options.runtimes) {
      const measurement = measurementOf(results, name, runtime);
      if (measurement === undefined) continue;
      const { keys, date, commit } = measurement;
      console.log(
        `\n${name} under ${runtime}, ${keys.toLocaleString("en")} keys, ${date} ${commit}`,
      );
      for (const line of measurementLines(measurement)) console.log(line);
    }
  }
  const verdicts = rows.flatMap((row) =>
    options.runtimes.flatMap((runtime) => judge(results, row, runtime) ?? [])
  );
  console.log("");
  for (const line of verdictLines(verdicts)) console.log(line);
  return tellShort(verdicts);
}

/** Names the rows that fall short. The table is about Bun; Deno stands beside it. */
function tellShort(verdicts: readonly Verdict[]): boolean {
  const short = verdicts.filter(({ reached, runtime }) => !reached && runtime === "bun");
  if (short.length === 0) return false;
  console.log(`\nShort under Bun: ${short.map(({ row }) => row.name).join(", ")}`);
  return true;
}

try {
  const today = new Date().toISOString().slice(0, 10);
  const options = parseOptions(process.argv.slice(2), process.env, today);
  if (options === undefined) {
    console.log(HELP);
    process.exit(0);
  }
  if (!options.report && !existsSync(join(ROOT, "bench/peers/node_modules"))) {
    throw new UsageError("The peers are not installed: run `deno task bench`, which does that");
  }
  const before = onMachine(readResults(RESULTS), describeMachine());
  const results = options.report ? before : await measureAll(options, before);
  process.exit(report(options, results) ? 1 : 0);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exit(2);
}
