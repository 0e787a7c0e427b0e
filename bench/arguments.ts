/** The options of the harness. */

import { parseArgs } from "node:util";

/** The runtimes that are measured, in the order in which they are. */
export const RUNTIMES = ["bun", "deno"] as const;

/** A runtime that is measured. */
export type Runtime = typeof RUNTIMES[number];

/** What one run of the harness shall do. */
export interface BenchOptions {
  /** Rows or measures to run, by name or the beginning of it; empty: all. */
  only: string[];
  /** The subjects to run beside Cairn; undefined: all. Results without some are not kept. */
  peers: string[] | undefined;
  /** Parts beside the table that shall be measured instead of it. */
  parts: string[];
  runtimes: Runtime[];
  /** Keys of the rows that speak of a million; those of ten million take ten times as many. */
  keys: number;
  rounds: number;
  /** How long is measured what is measured by time. */
  millis: number;
  /** Leaves out what an earlier run with the same sizes has measured. */
  resume: boolean;
  /** Adds rounds to those of an earlier run with the same sizes, instead of replacing them. */
  add: boolean;
  /** Writes the results into docs/. */
  publish: boolean;
  /** Measures nothing and only prints, and with `publish` writes, what is there. */
  report: boolean;
  /** The day that results are marked with. */
  date: string;
  /** Where the stores are put. */
  directory: string | undefined;
}

/** Keys where the table says a million. */
export const FULL_KEYS = 1_000_000;
/** Sizes that the table is about, and others that take about a minute. */
const FULL = { keys: FULL_KEYS, rounds: 5, millis: 3000 };
const QUICK = { keys: 20_000, rounds: 1, millis: 300 };

const COUNT_MAX = 100_000_000;

/** What `--help` prints. */
export const HELP = `deno task bench [options]

  --only ROW[,ROW]     rows of the table, by the beginning of their names
  --part PART[,PART]   instead of the table: scale, sizes, stalls, memory, amplification, startup,
                       threads, or all
  --peers NAME[,NAME]  only these beside Cairn, or none; keeps no results
  --runtime NAME       bun or deno; both unless told
  --keys N             keys where the table says a million (${FULL.keys})
  --rounds N           rounds, of which the median counts (${FULL.rounds})
  --millis N           length of what is measured by time (${FULL.millis})
  --quick              about a minute, with sizes that prove nothing
  --resume             leave out what the results have already, from runs of these sizes
  --add                add rounds to results of these sizes, instead of replacing them
  --report             measure nothing, print the results that are there
  --publish            write results, chart and tables into docs/
  --date YYYY-MM-DD    the day to mark results with (today)
  --dir DIRECTORY      where to put the stores (CAIRN_BENCH_DIR, or the system's temporary one)
`;

/** A mistake in the options, to be shown as it is. */
export class UsageError extends Error {}

/** Reads the options; undefined when only help is wanted. Throws `UsageError`. */
export function parseOptions(
  args: readonly string[],
  environment: Record<string, string | undefined>,
  today: string,
): BenchOptions | undefined {
  const { values } = parseStrictly(args);
  if (values.help === true) return undefined;
  const sizes = values.quick === true ? QUICK : FULL;
  const date = values.date ?? today;
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) throw new UsageError(`--date ${date}: give YYYY-MM-DD`);
  return {
    only: names(values.only),
    peers: values.peers === undefined ? undefined : names(values.peers),
    parts: names(values.part),
    runtimes: runtimesOf(values.runtime),
    keys: count("--keys", values.keys, sizes.keys),
    rounds: count("--rounds", values.rounds, sizes.rounds),
    millis: count("--millis", values.millis, sizes.millis),
    resume: values.resume ?? false,
    add: values.add ?? false,
    publish: values.publish ?? false,
    report: values.report ?? false,
    date,
    directory: values.dir ?? environment["CAIRN_BENCH_DIR"],
  };
}

function parseStrictly(args: readonly string[]) {
  const text = { type: "string" } as const;
  const list = { type: "string", multiple: true } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: list,
        part: list,
        peers: list,
        runtime: text,
        keys: text,
        rounds: text,
        millis: text,
        quick: flag,
        resume: flag,
        add: flag,
        publish: flag,
        report: flag,
        date: text,
        dir: text,
        help: flag,
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function names(values: readonly string[] = []): string[] {
  return values.flatMap((value) => value.split(",")).map((name) => name.trim())
    .filter((name) => name !== "");
}

function runtimesOf(name: string | undefined): Runtime[] {
  if (name === undefined) return [...RUNTIMES];
  const found = RUNTIMES.find((runtime) => runtime === name);
  if (found === undefined) throw new UsageError(`--runtime ${name}: give bun or deno`);
  return [found];
}

function count(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > COUNT_MAX) {
    throw new UsageError(`${option} ${text}: give an integer from 1 to ${COUNT_MAX}`);
  }
  return number;
}
