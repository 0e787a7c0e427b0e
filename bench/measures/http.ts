/**
 * HTTP GET and durable PUT with 64 connections, beside a bare server of the same runtime that answers
 * with fixed bytes.
 */

import { execFile } from "node:child_process";
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

/** What http_load.ts prints. */
interface Load {
  perSecond: number;
  failures: number;
  p50: number;
  p99: number;
}

async function load(
  { port }: Server,
  method: string,
  { keys, options }: MeasureContext,
): Promise<Load> {
  // Always under Bun: it shall be the server that is measured, and not its client.
  const args = ["bench/network/http_load.ts", method, port, CONNECTIONS, options.millis, keys];
  const { stdout } = await promisify(execFile)(BUN, args.map(String), { cwd: ROOT });
  const result = JSON.parse(stdout) as Load;
  if (result.failures > 0) throw new Error(`${result.failures} requests failed`);
  return result;
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
      // A first load does not count: runtimes compile what is hot.
      for (const name of names) await load(subjects[name], method, context);
      for (let round = 0; round < context.rounds; round++) {
        for (const name of orderOf(names, round)) {
          const { perSecond, p50, p99 } = await load(subjects[name], method, context);
          const figures = {
            [`${method}PerSecond`]: perSecond,
            [`${method}P50Millis`]: p50,
            [`${method}P99Millis`]: p99,
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
