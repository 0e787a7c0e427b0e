/** Measures of the engine: Cairn in a program of its own, beside peers and bare loops. */

import type { Runtime } from "../arguments.ts";
import type { Samples } from "../results.ts";
import {
  addRound,
  alternate,
  inDirectory,
  type Measure,
  type MeasureContext,
  showFigures,
} from "./measure.ts";
import { runSubject } from "./run_subject.ts";

const LARGE_VALUE_BYTES = 4096;

const PEERS = ["lmdb", "lmdb noSync", "lmdb, one turn", "classic-level", "sqlite"];
const DURABLE_PEERS = ["lmdb", "classic-level", "sqlite"];

function own(runtime: Runtime): string[] {
  return runtime === "deno" ? ["deno kv"] : [];
}

const same = (base: number) => base;
/** A disk varies more than a processor. */
const twice = (base: number) => 2 * base;
const tenfold = (base: number) => 10 * base;
/** What takes minutes. */
const few = (base: number) => Math.min(base, 3);

/** Fills a store once; every round opens it in a new process. */
async function reopen(
  context: MeasureContext,
  task: string,
  valueBytes: number,
): Promise<Samples> {
  return await inDirectory(context.directory, async (directory) => {
    const input = { subject: "cairn", directory, valueBytes };
    await runSubject(context, "prepare", input);
    const samples: Samples = {};
    for (let round = 0; round < context.rounds; round++) {
      const figures = await runSubject(context, task, input);
      addRound(samples, "cairn", figures);
      context.log(`round ${round + 1}  ${showFigures(figures)}`);
    }
    return samples;
  });
}

/** Measures whose subjects are engines. */
export const ENGINE_MEASURES: Measure[] = [
  {
    name: "bulk",
    keys: same,
    rounds: same,
    run: (context) =>
      alternate(context, "bulk", [
        "cairn",
        ...PEERS,
        "sqlite, large steps",
        ...own(context.runtime),
        "map",
      ]),
  },
  {
    name: "durable-one",
    keys: same,
    rounds: twice,
    run: (context) =>
      alternate(context, "durableOne", [
        "bare",
        "cairn",
        ...DURABLE_PEERS,
        ...own(context.runtime),
      ]),
  },
  {
    name: "durable-many",
    keys: same,
    rounds: twice,
    run: (context) =>
      alternate(context, "durableMany", [
        "bare",
        "cairn",
        ...DURABLE_PEERS,
        ...own(context.runtime),
      ]),
  },
  { name: "open", keys: same, rounds: same, run: (context) => reopen(context, "openClean", 100) },
  {
    name: "open-large",
    keys: tenfold,
    rounds: same,
    run: (context) => reopen(context, "openClean", 100),
  },
  { name: "replay", keys: same, rounds: same, run: (context) => reopen(context, "replay", 100) },
  {
    name: "replay-4k",
    keys: (base) => Math.ceil(base / 4),
    rounds: same,
    run: (context) => reopen(context, "replay", LARGE_VALUE_BYTES),
  },
  {
    name: "growth",
    keys: tenfold,
    rounds: few,
    run: (context) => alternate(context, "growth", ["cairn"]),
  },
  {
    name: "heap",
    keys: same,
    rounds: few,
    run: (context) => alternate(context, "heap", ["cairn"]),
  },
  {
    name: "pauses",
    keys: tenfold,
    rounds: few,
    run: (context) => alternate(context, "pauses", ["cairn"]),
  },
  {
    name: "compaction",
    keys: same,
    rounds: same,
    run: (context) => alternate(context, "compactionLatency", ["cairn"]),
  },
];
