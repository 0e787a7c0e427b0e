/** What was measured, as it is kept in a file of JSON. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Runtime } from "./arguments.ts";
import type { Machine } from "./machine.ts";

/** Figures of all rounds, by subject and name. */
export type Samples = Record<string, Record<string, number[]>>;

/** One measure under one runtime. */
export interface Measurement {
  measure: string;
  runtime: Runtime;
  /** The day. */
  date: string;
  /** The commit that was measured. */
  commit: string;
  keys: number;
  rounds: number;
  /** 0 if nothing was measured by time. */
  millis: number;
  samples: Samples;
}

/** All that is known; of each measure and runtime the latest. */
export interface Results {
  machine: Machine;
  measurements: Measurement[];
}

/** The measurement of `measure` under `runtime`, if there is one. */
export function measurementOf(
  results: Results,
  measure: string,
  runtime: Runtime,
): Measurement | undefined {
  return results.measurements.find((each) => each.measure === measure && each.runtime === runtime);
}

/** `results` with `measurement` in the place of an older one. */
export function withMeasurement(results: Results, measurement: Measurement): Results {
  const { measure, runtime } = measurement;
  const others = results.measurements.filter((each) =>
    each.measure !== measure || each.runtime !== runtime
  );
  return { ...results, measurements: [...others, measurement] };
}

/** `results` with the rounds of `measurement` added to earlier ones, if those had the same sizes. */
export function withMoreRounds(results: Results, measurement: Measurement): Results {
  const before = measurementOf(results, measurement.measure, measurement.runtime);
  const isSame = before?.keys === measurement.keys && before.millis === measurement.millis;
  if (before === undefined || !isSame) return withMeasurement(results, measurement);
  const samples: Samples = structuredClone(before.samples);
  for (const [subject, figures] of Object.entries(measurement.samples)) {
    const own = samples[subject] ??= {};
    for (const [name, values] of Object.entries(figures)) (own[name] ??= []).push(...values);
  }
  const rounds = before.rounds + measurement.rounds;
  return withMeasurement(results, { ...measurement, rounds, samples });
}

/** `results` for measurements on `machine`: those of another one would mean nothing beside them. */
export function onMachine(results: Results | undefined, machine: Machine): Results {
  const isSame = results !== undefined && results.machine.cpu === machine.cpu &&
    results.machine.cores === machine.cores;
  return { machine, measurements: isSame ? results.measurements : [] };
}

/** The figures of `subject`; empty if it was not measured. */
export function samplesOf(
  measurement: Measurement | undefined,
  subject: string,
  figure: string,
): number[] {
  return measurement?.samples[subject]?.[figure] ?? [];
}

/** Reads results; undefined if there are none. */
export function readResults(path: string): Results | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Results;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes results, whole or not at all. */
export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  const rounded = JSON.stringify(results, (_, value) => rounds(value), 2);
  // Arrays of figures are read across, not down.
  const text = rounded.replace(
    /\[\s+([-\d.e+,\s]+?)\s+\]/g,
    (_, numbers: string) => `[${numbers.replace(/\s+/g, " ")}]`,
  );
  writeFileSync(`${path}.tmp`, `${text}\n`);
  renameSync(`${path}.tmp`, path);
}

/** Six digits say more than a measurement knows. */
function rounds(value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value)
    ? Number(value.toPrecision(6))
    : value;
}
