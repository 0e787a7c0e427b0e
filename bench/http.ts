/**
 * HTTP GET and durable PUT with 64 connections, beside a bare server of the same runtime that answers
 * with fixed bytes: alternating rounds in one run, medians with their spread.
 *
 *     bun bench/http.ts [keys] [rounds] [seconds]
 *     deno run -A bench/http.ts [keys] [rounds] [seconds]
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { KvStore } from "../lib/mod.ts";
import { makeKeys, makeValue } from "./workload.ts";

interface Round {
  perSecond: number;
  failures: number;
  p50: number;
  p99: number;
}

const CONNECTIONS = 64;
/** What a server must reach of the bare one's rate. */
const RATIOS = { GET: 0.85, PUT: 0.7 } as const;

const [keyCount = 1_000_000, roundCount = 5, seconds = 3] = process.argv.slice(2).map(Number);
const root = fileURLToPath(new URL("..", import.meta.url));
const runtime = "Bun" in globalThis ? "Bun" : "Deno";
const bun = join(root, "node_modules/bun/bin/bun.exe");
/** How a script is started in the runtime that is measured. */
const start = runtime === "Bun" ? [bun] : [process.execPath, "run", "--no-check", "-A"];
const directory = mkdtempSync(join(process.env["CAIRN_BENCH_DIR"] ?? tmpdir(), "cairn-bench-"));

/** A server in a process of its own, and its port, which is in the first line it prints. */
async function serve(...args: string[]): Promise<{ child: ChildProcess; port: string }> {
  const [program, ...before] = start;
  const child = spawn(program!, [...before, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    const port = /:(\d+)\s*$/.exec(line)?.[1];
    if (port !== undefined) return { child, port };
  }
  throw new Error(`${args[0]} did not start`);
}

function load(method: string, port: string): Round {
  const args = ["bench/http_load.ts", method, port, CONNECTIONS, seconds * 1000, keyCount];
  const printed = execFileSync(bun, args.map(String), { cwd: root, encoding: "utf8" });
  const round = JSON.parse(printed) as Round;
  if (round.failures > 0) throw new Error(`${round.failures} requests failed`);
  return round;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!;
}

function summary(rounds: readonly Round[]): string {
  const rates = rounds.map(({ perSecond }) => perSecond);
  const rate = (value: number) => Math.round(value).toLocaleString("en");
  return `${rate(median(rates))} /s (${rate(Math.min(...rates))} to ${
    rate(Math.max(...rates))
  }), ` +
    `p50 ${median(rounds.map(({ p50 }) => p50)).toFixed(2)} ms, ` +
    `p99 ${median(rounds.map(({ p99 }) => p99)).toFixed(2)} ms`;
}

const children: ChildProcess[] = [];
let failed = false;
try {
  const db = join(directory, "db");
  const store = await KvStore.open(db, { durability: { bytes: 16 << 20, millis: 200 } });
  const value = makeValue(100);
  for (const key of makeKeys(keyCount)) store.setSync(key, value);
  await store.close();
  const bare = await serve("bench/http_bare_server.ts");
  children.push(bare.child);
  const cairn = await serve("main.ts", "serve", "--db", db, "--http", "127.0.0.1:0", "--no-tcp");
  children.push(cairn.child);
  for (const method of ["GET", "PUT"] as const) {
    const rounds: { bare: Round[]; cairn: Round[] } = { bare: [], cairn: [] };
    for (let round = 0; round < roundCount; round++) {
      rounds.bare.push(load(method, bare.port));
      rounds.cairn.push(load(method, cairn.port));
    }
    const ratio = median(
      rounds.cairn.map(({ perSecond }, index) => perSecond / rounds.bare[index]!.perSecond),
    );
    const reached = ratio >= RATIOS[method];
    failed ||= !reached;
    console.log(`${runtime}  ${method}  bare   ${summary(rounds.bare)}`);
    console.log(`${runtime}  ${method}  Cairn  ${summary(rounds.cairn)}`);
    console.log(
      `${runtime}  ${method}  ${ratio.toFixed(2)} of bare, ${reached ? "" : "less than "}` +
        `${RATIOS[method]} wanted`,
    );
  }
} finally {
  await Promise.all(children.map((child) => {
    const ended = once(child, "exit");
    child.kill();
    return ended;
  }));
  rmSync(directory, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
