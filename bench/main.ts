/**
 * The harness: runs Cairn and its peers on the same work in one run, holds what was measured against
 * the table of what shall be reached, and ends with 1 if a row falls short. See docs/performance.md.
 *
 *     deno task bench --help
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type BenchOptions, HELP, parseOptions, UsageError } from "./arguments.ts";
import { drawChart } from "./chart.ts";
import { describeMachine, ROOT } from "./machine.ts";
import { publish } from "./publish.ts";
import { measurementOf, onMachine, readResults, type Results, writeResults } from "./results.ts";
import { measureAll } from "./run.ts";
import { chosenMeasures, chosenRows } from "./selection.ts";
import { measurementLines, verdictLines } from "./text_table.ts";
import { judge, shortRows } from "./verdict.ts";

const RESULTS = join(ROOT, "bench/results/latest.json");
const CHART = join(ROOT, "bench/results/latest.svg");

/** Prints what is known of what was asked for; whether all rows are reached. */
function report(options: BenchOptions, results: Results): boolean {
  for (const name of chosenMeasures(options)) {
    for (const runtime of options.runtimes) {
      const measurement = measurementOf(results, name, runtime);
      if (measurement === undefined) continue;
      for (const line of measurementLines(measurement)) console.log(line);
    }
  }
  const verdicts = chosenRows(options).flatMap((row) =>
    options.runtimes.flatMap((runtime) => judge(results, row, runtime) ?? [])
  );
  for (const line of verdictLines(verdicts)) console.log(line);
  const short = shortRows(verdicts);
  if (short.length > 0) console.log(`\nfalls short: ${short.join(", ")}`);
  return short.length === 0;
}

async function main(options: BenchOptions): Promise<boolean> {
  chosenMeasures(options); // Mistakes are told before anything else is done.
  const needsPeers = options.peers === undefined;
  if (needsPeers && !existsSync(join(ROOT, "bench/peers/node_modules"))) {
    throw new UsageError("The peers are not installed: `deno task bench` does that");
  }
  const before = onMachine(readResults(RESULTS), describeMachine());
  // Without some of the peers, results would be in the way of whole ones.
  const keep = needsPeers ? (results: Results) => writeResults(RESULTS, results) : () => {};
  const results = options.report ? before : await measureAll(options, before, keep);
  const isReached = report(options, results);
  if (needsPeers) drawChart(CHART, results);
  if (options.publish) publish(results);
  return isReached;
}

try {
  const today = new Date().toISOString().slice(0, 10);
  const options = parseOptions(process.argv.slice(2), process.env, today);
  if (options === undefined) {
    console.log(HELP);
    process.exit(0);
  }
  process.exit(await main(options) ? 0 : 1);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exit(2);
}
