/**
 * HTTP GET and durable PUT with 64 connections, beside a bare server of the same runtime that answers
 * with fixed bytes. A round is made of short slices in which the two take turns, so that what else the
 * machine does hits both. Where client and server have to share cores, or the client is the slower one,
 * rates say too little about the server: so its CPU time for each request is measured, too.
 */

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { BUN, ROOT } from "../machine.ts";
import type { Samples } from "../results.ts";
import {
  addRound,
  inDirectory,
  type Measure,
  type MeasureContext,
  orderOf,
  showFigures,
} from "./measure.ts";
import { runSubject, serverCommand } from "./run_subject.ts";
import { type Server, Servers } from "./server_process.ts";

const CONNECTIONS = 64;
const METHODS = ["GET", "PUT"] as const;
const SLICES = 4;
const NANOS_PER_MICRO = 1000;

/** What http_load.ts prints. */
interface Load {
  answers: number;
  perSecond: number;
  failures: number;
  p50: number;
  p99: number;
  /** CPU time of the server for each request; undefined where the system does not tell. */
  cpuMicros: number | undefined;
}

async function load(
  { port, child }: Server,
  method: string,
  millis: number,
  keys: number,
): Promise<Load> {
  // Always under Bun: it shall be the server that is measured, and not its client.
  const args = ["bench/network/http_load.ts", method, port, CONNECTIONS, millis, keys];
  const cpuBefore = cpuNanos(child.pid);
  const { stdout } = await promisify(execFile)(BUN, args.map(String), { cwd: ROOT });
  const result = JSON.parse(stdout) as Load;
  if (result.failures > 0) throw new Error(`${result.failures} requests failed`);
  const cpuAfter = cpuNanos(child.pid);
  const spent = cpuBefore === undefined || cpuAfter === undefined
    ? undefined
    : (cpuAfter - cpuBefore) / NANOS_PER_MICRO;
  return { ...result, cpuMicros: spent === undefined ? undefined : spent / result.answers };
}

/** CPU time that all threads of a process have used, in nanoseconds; known on Linux only. */
function cpuNanos(pid: number | undefined): number | undefined {
  try {
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks).reduce((sum, task) => {
      const [running = ""] = readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ");
      return sum + Number(running);
    }, 0);
  } catch {
    return undefined;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

async function http(context: MeasureContext): Promise<Samples> {
  const samples: Samples = {};
  await inDirectory(context.directory, async (directory) => {
    await runSubject(context, "prepare", { subject: "cairn", directory });
    await using servers = new Servers();
    const [program, ...args] = serverCommand(context.runtime);
    const start = (...more: string[]) => servers.startPrinting(program, [...args, ...more]);
    const subjects = {
      bare: await start("bench/network/http_bare_server.ts"),
      cairn: await start(
        "main.ts",
        "--log-level",
        "error",
        "serve",
        "--db",
        directory,
        "--http",
        "127.0.0.1:0",
        "--no-tcp",
      ),
    };
    const names = ["bare", "cairn"] as const;
    for (const method of METHODS) {
      const slice = (name: typeof names[number]) =>
        load(subjects[name], method, context.options.millis / SLICES, context.keys);
      // A first load does not count: runtimes compile what is hot.
      for (const name of names) {
        await load(subjects[name], method, context.options.millis, context.keys);
      }
      for (let round = 0; round < context.rounds; round++) {
        const loads = { bare: [] as Load[], cairn: [] as Load[] };
        for (let index = 0; index < SLICES; index++) {
          for (const name of orderOf(names, round + index)) loads[name].push(await slice(name));
        }
        for (const name of names) {
          const of = (figure: "perSecond" | "p50" | "p99") =>
            mean(loads[name].map((l) => l[figure]));
          const cpu = loads[name].map(({ cpuMicros }) => cpuMicros ?? NaN);
          const figures = {
            [`${method}PerSecond`]: of("perSecond"),
            [`${method}P50Millis`]: of("p50"),
            [`${method}P99Millis`]: of("p99"),
            ...(!cpu.some(Number.isNaN) && { [`${method}CpuMicros`]: mean(cpu) }),
          };
          addRound(samples, name, figures);
          context.log(`round ${round + 1}  ${name.padEnd(6)} ${showFigures(figures)}`);
        }
      }
    }
  });
  return samples;
}

/** The measure of the HTTP service. */
export const HTTP_MEASURE: Measure = {
  name: "http",
  keys: (base) => base,
  rounds: (base) => base,
  run: http,
};
