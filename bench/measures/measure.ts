/** What one measure is, and how its subjects take turns. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BenchOptions, Runtime } from "../arguments.ts";
import type { Samples } from "../results.ts";
import type { Figures, TaskInput } from "../tasks/task.ts";
import { runSubject } from "./run_subject.ts";

/** What a measure works with. */
export interface MeasureContext {
  runtime: Runtime;
  options: BenchOptions;
  /** Keys of this measure. */
  keys: number;
  rounds: number;
  /** A directory of its own, removed afterwards. */
  directory: string;
  /** Tells what goes on. */
  log(line: string): void;
}

/** Work that gives figures of one or several subjects, for one or several rows. */
export interface Measure {
  name: string;
  /** Keys for so many as the options say. */
  keys(base: number): number;
  /** Rounds for so many as the options say; 1 for what takes long and hardly varies. */
  rounds(base: number): number;
  /** The runtimes that it tells something about; all unless said. */
  runtimes?: readonly Runtime[];
  run(context: MeasureContext): Promise<Samples>;
}

/** Adds one round's figures. */
export function addRound(samples: Samples, subject: string, figures: Figures): void {
  const own = samples[subject] ??= {};
  for (const [name, value] of Object.entries(figures)) (own[name] ??= []).push(value);
}

/** The order of a round: every other one backwards, so that nobody always follows the same one. */
export function orderOf<Subject>(subjects: readonly Subject[], round: number): Subject[] {
  return round % 2 === 0 ? [...subjects] : subjects.toReversed();
}

/** Lets each subject do `task` once a round, each time in a new process and a new directory. */
export async function alternate(
  context: MeasureContext,
  task: string,
  subjects: readonly string[],
  more: Partial<TaskInput> = {},
): Promise<Samples> {
  const { peers } = context.options;
  const chosen = subjects.filter((each) => each === "cairn" || (peers?.includes(each) ?? true));
  const samples: Samples = {};
  for (let round = 0; round < context.rounds; round++) {
    for (const subject of orderOf(chosen, round)) {
      const figures = await inDirectory(
        context.directory,
        (directory) => runSubject(context, task, { subject, directory, ...more }),
      );
      addRound(samples, subject, figures);
      context.log(`round ${round + 1}  ${subject.padEnd(20)} ${showFigures(figures)}`);
    }
  }
  return samples;
}

/** Runs `work` in a new directory under `parent`, and removes that. */
export async function inDirectory<Result>(
  parent: string,
  work: (directory: string) => Promise<Result>,
): Promise<Result> {
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, "store-"));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Figures in a line. */
export function showFigures(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4)).toLocaleString("en")}`)
    .join(", ");
}
