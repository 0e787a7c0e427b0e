/** What is measured beside the table: how figures change with sizes, and what the disk bears. */

import { spawnSync } from "node:child_process";
import { freemem } from "node:os";
import { join } from "node:path";
import { BUN, ROOT } from "../machine.ts";
import type { Samples } from "../results.ts";
import { THREAD_SUBJECTS } from "../tasks/threads.ts";
import {
  addRound,
  alternate,
  inDirectory,
  type Measure,
  type MeasureContext,
  showFigures,
} from "./measure.ts";
import { runSubject, runtimeCommand } from "./run_subject.ts";

/** Shares of the base number of keys that `scale` goes through. */
const SCALES = [0.1, 1, 10, 50];
/** Memory that a key takes while `scale` runs: index, buffers and pages of the cache. */
const MEMORY_BYTES_PER_KEY = 320;
const VALUE_SIZES = [10, 100, 1024, 10 * 1024, 100 * 1024, 1024 * 1024];
/** Bytes of values for each size and key of the base; fewer keys the larger the values. */
const SIZES_BYTES_PER_KEY = 256;
const STARTS_PER_ROUND = 10;

const same = (base: number) => base;
const half = (base: number) => Math.ceil(base / 2);
/** What takes minutes a round, and shows what changes by more than one run differs from another. */
const once = () => 1;

/** Numbers as they stand in names of subjects: 100k, 1M, 1 KiB. */
function showSize(count: number, steps: number, units: readonly string[]): string {
  let unit = 0;
  let rest = count;
  while (rest >= steps && unit < units.length - 1) {
    rest /= steps;
    unit++;
  }
  return `${Number(rest.toFixed(1))}${units[unit]}`;
}

async function scale(context: MeasureContext): Promise<Samples> {
  const samples: Samples = {};
  for (const share of SCALES) {
    const keys = Math.ceil(context.keys * share);
    if (keys * MEMORY_BYTES_PER_KEY > freemem()) {
      context.log(`${keys.toLocaleString("en")} keys: not enough memory`);
      continue;
    }
    const subject = `cairn, ${showSize(keys, 1000, ["", "k", "M"])} keys`;
    for (let round = 0; round < context.rounds; round++) {
      const figures = await inDirectory(
        context.directory,
        (directory) => runSubject(context, "scale", { subject: "cairn", directory, keys }),
      );
      addRound(samples, subject, figures);
      context.log(`round ${round + 1}  ${subject}  ${showFigures(figures)}`);
    }
  }
  return samples;
}

async function sizes(context: MeasureContext): Promise<Samples> {
  const samples: Samples = {};
  for (const valueBytes of VALUE_SIZES) {
    const bytes = context.keys * SIZES_BYTES_PER_KEY;
    const keys = Math.min(context.keys, Math.max(16, Math.floor(bytes / valueBytes)));
    const size = showSize(valueBytes, 1024, [" B", " KiB", " MiB"]);
    const subjects = ["cairn", "lmdb noSync", "classic-level", "sqlite"];
    const own = await alternate({ ...context, keys }, "bulk", subjects, { keys, valueBytes });
    for (const [subject, figures] of Object.entries(own)) samples[`${subject}, ${size}`] = figures;
  }
  return samples;
}

async function amplification(context: MeasureContext): Promise<Samples> {
  const subjects = ["cairn", "lmdb", "classic-level", "sqlite"];
  return await alternate(context, "amplification", subjects);
}

/** None of the subjects is a peer: all of them are Cairn. */
async function threads(context: MeasureContext): Promise<Samples> {
  const options = { ...context.options, peers: undefined };
  return await alternate({ ...context, options }, "threads", Object.keys(THREAD_SUBJECTS));
}

/** Runs a program to its end, again and again; milliseconds that one run takes. */
function startMillis(program: string, args: readonly string[]): number {
  const begin = performance.now();
  for (let count = 0; count < STARTS_PER_ROUND; count++) {
    const { status, stderr } = spawnSync(program, args, { cwd: ROOT, encoding: "utf8" });
    if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  }
  return (performance.now() - begin) / STARTS_PER_ROUND;
}

async function startup(context: MeasureContext): Promise<Samples> {
  const samples: Samples = {};
  const cairn = join(ROOT, "dist/cairn");
  await inDirectory(context.directory, (directory) => {
    const db = ["--db", join(directory, "db")];
    const runs: Record<string, [string, ...string[]]> = {
      "cairn version": [cairn, "version"],
      "cairn set": [cairn, "set", ...db, "greeting", "hello"],
      "cairn get": [cairn, "get", ...db, "greeting"],
      "bun, nothing": [BUN, "-e", "0"],
      "deno, nothing": [runtimeCommand("deno")[0], "eval", "0"],
    };
    for (let round = 0; round < context.rounds; round++) {
      for (const [subject, [program, ...args]] of Object.entries(runs)) {
        addRound(samples, subject, { startMillis: startMillis(program, args) });
      }
    }
    return Promise.resolve();
  });
  return samples;
}

/** Measures that no row of the table needs. */
export const PART_MEASURES: Measure[] = [
  { name: "scale", keys: same, rounds: once, run: scale },
  { name: "sizes", keys: same, rounds: once, run: sizes },
  { name: "threads", keys: same, rounds: same, run: threads },
  { name: "amplification", keys: half, rounds: once, run: amplification },
  {
    name: "startup",
    keys: () => 1,
    rounds: same,
    // The executable has one runtime, whichever the library is measured under.
    runtimes: ["bun"],
    run: startup,
  },
];
