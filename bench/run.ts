/** Runs measures one after the other, and keeps what each found as soon as it is there. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { BenchOptions, Runtime } from "./arguments.ts";
import { currentCommit } from "./machine.ts";
import type { Measure } from "./measures/measure.ts";
import { MEASURES } from "./measures/mod.ts";
import {
  type Measurement,
  measurementOf,
  type Results,
  withMeasurement,
  withMoreRounds,
} from "./results.ts";
import { chosenMeasures } from "./selection.ts";

const EXIT_INTERRUPTED = 130;

/** Measures what was asked for; `keep` is called whenever there is more to keep. */
export async function measureAll(
  options: BenchOptions,
  before: Results,
  keep: (results: Results) => void,
): Promise<Results> {
  const chosen = chosenMeasures(options);
  const parent = mkdtempSync(join(options.directory ?? tmpdir(), "cairn-bench-"));
  const onSignal = () => {
    rmSync(parent, { recursive: true, force: true });
    process.exit(EXIT_INTERRUPTED);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, onSignal);
  let results = before;
  try {
    for (const measure of MEASURES) {
      if (!chosen.has(measure.name)) continue;
      for (const runtime of options.runtimes) {
        if (!(measure.runtimes?.includes(runtime) ?? true)) continue;
        if (options.resume && isMeasured(results, measure, runtime, options)) continue;
        results = await measureOne(measure, runtime, options, results, parent);
        keep(results);
      }
    }
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
  return results;
}

/** Whether there is a result that another run with these options would only repeat. */
export function isMeasured(
  results: Results,
  measure: Pick<Measure, "name" | "keys" | "rounds">,
  runtime: Runtime,
  options: Pick<BenchOptions, "keys" | "rounds" | "millis">,
): boolean {
  const found = measurementOf(results, measure.name, runtime);
  return found !== undefined && found.keys === measure.keys(options.keys) &&
    found.rounds === measure.rounds(options.rounds) && found.millis === options.millis;
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
  const measurement: Measurement = { ...about, samples };
  return (options.add ? withMoreRounds : withMeasurement)(results, measurement);
}
