/**
 * redis-benchmark against Cairn and against Redis, both of which have a million keys: alternating
 * rounds in one run, medians with their spread. Wants redis-server and redis-benchmark (Debian:
 * `redis-server`, `redis-tools`), and the executable in dist/.
 *
 *     bun bench/redis.ts [keys] [rounds] [seconds]
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { KvStore } from "../lib/mod.ts";
import { makeKeys, makeValue } from "./workload.ts";

/** A server under load. */
interface Server {
  child: ChildProcess;
  port: number;
}

/** What one call of redis-benchmark tells. */
interface Round {
  perSecond: number;
  p50: number;
  p99: number;
}

/** One line of the result: which servers, and what they are asked to do. */
interface Row {
  title: string;
  command: "SET" | "GET";
  pipeline: number;
  isDurable: boolean;
}

const CLIENTS = 64;
const VALUE_BYTES = 100;
/** Of these seconds none count: runtimes compile what is hot, caches fill. */
const WARM_UP_SECONDS = 2;

const ROWS: readonly Row[] = [1, 16].flatMap((pipeline) =>
  [
    { title: "SET, durable before the reply", command: "SET", pipeline, isDurable: true },
    { title: "SET, durable within a second", command: "SET", pipeline, isDurable: false },
    { title: "GET", command: "GET", pipeline, isDurable: false },
  ] satisfies Row[]
);

const [keyCount = 1_000_000, roundCount = 5, seconds = 3] = process.argv.slice(2).map(Number);
const cairn = fileURLToPath(new URL("../dist/cairn", import.meta.url));
const directory = mkdtempSync(join(process.env["CAIRN_BENCH_DIR"] ?? tmpdir(), "cairn-redis-"));
const children: ChildProcess[] = [];

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function start(program: string, args: string[], port: number): Promise<Server> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  children.push(child);
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${program} did not start`);
    const socket = connect(port, "127.0.0.1");
    const answered = await new Promise<boolean>((resolve) => {
      socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    });
    socket.destroy();
    if (answered) return { child, port };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function startCairn(isDurable: boolean): Promise<Server> {
  const db = join(directory, isDurable ? "cairn-immediate" : "cairn-batch");
  const store = await KvStore.open(db, { durability: { bytes: 16 << 20, millis: 200 } });
  const value = makeValue(VALUE_BYTES);
  for (const key of makeKeys(keyCount)) store.setSync(key, value);
  await store.close();
  const port = await freePort();
  const args = ["serve", "--db", db, "--http", "127.0.0.1:0", "--tcp", `127.0.0.1:${port}`];
  // As often as Redis does with everysec; of one second's worth of writes, none is waited for.
  const lazy = ["--durability", "batch", "--batch-millis", "1000", "--batch-bytes", `${1 << 30}`];
  return start(cairn, ["--log-level", "error", ...args, ...(isDurable ? [] : lazy)], port);
}

async function startRedis(isDurable: boolean): Promise<Server> {
  const dir = join(directory, isDurable ? "redis-always" : "redis-everysec");
  mkdirSync(dir);
  const port = await freePort();
  const appendfsync = isDurable ? "always" : "everysec";
  const options = { port, dir, appendonly: "yes", appendfsync, save: "", bind: "127.0.0.1" };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = await start("redis-server", args, port);
  await fill(port);
  return server;
}

/** Sets all keys, a thousand in one command. */
async function fill(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const keys = makeKeys(keyCount);
  const value = new TextDecoder("latin1").decode(makeValue(VALUE_BYTES).map((byte) => byte & 0x7f));
  const commands = Math.ceil(keys.length / 1000);
  let replies = 0;
  const done = new Promise<void>((resolve) => {
    socket.on("data", (chunk) => {
      for (const byte of chunk as Uint8Array) if (byte === 0x0a) replies++;
      if (replies === commands) resolve();
    });
  });
  for (let at = 0; at < keys.length; at += 1000) {
    const part = keys.slice(at, at + 1000);
    const pairs = part.map((key) => `$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`);
    const command = `*${1 + 2 * part.length}\r\n$4\r\nMSET\r\n${pairs.join("")}`;
    if (!socket.write(command)) await once(socket, "drain");
  }
  await done;
  socket.destroy();
}

async function load(server: Server, row: Row, requests: number): Promise<Round> {
  const { command, pipeline } = row;
  const options = {
    p: server.port,
    c: CLIENTS,
    P: pipeline,
    n: Math.ceil(requests),
    r: keyCount,
    d: VALUE_BYTES,
    t: command.toLowerCase(),
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)]);
  const child = spawn("redis-benchmark", [...args, "--csv"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  let printed = "";
  for await (const chunk of child.stdout!) printed += chunk;
  const [code] = await exit;
  const line = printed.split("\n").find((each) => each.startsWith(`"${command}"`));
  if (code !== 0 || line === undefined) throw new Error(`redis-benchmark: ${printed}`);
  const [perSecond, , , p50, , p99] = line.replaceAll('"', "").split(",").slice(1).map(Number);
  return { perSecond: perSecond!, p50: p50!, p99: p99! };
}

/** How many requests take about so long. */
async function requestsFor(server: Server, row: Row, duration: number): Promise<number> {
  const { perSecond } = await load(server, row, 10_000 * row.pipeline);
  return perSecond * duration;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!;
}

function summary(rounds: readonly Round[]): string {
  const rates = rounds.map(({ perSecond }) => perSecond);
  const rate = (value: number) => Math.round(value).toLocaleString("en");
  const spread = `(${rate(Math.min(...rates))} to ${rate(Math.max(...rates))})`;
  return `${rate(median(rates))} /s ${spread}, p50 ${
    median(rounds.map(({ p50 }) => p50)).toFixed(2)
  } ms, p99 ${median(rounds.map(({ p99 }) => p99)).toFixed(2)} ms`;
}

let failed = false;
try {
  const servers = {
    cairn: { durable: await startCairn(true), lazy: await startCairn(false) },
    redis: { durable: await startRedis(true), lazy: await startRedis(false) },
  };
  for (const row of ROWS) {
    const kind = row.isDurable ? "durable" : "lazy";
    const ours = servers.cairn[kind];
    const theirs = servers.redis[kind];
    await load(ours, row, await requestsFor(ours, row, WARM_UP_SECONDS));
    await load(theirs, row, await requestsFor(theirs, row, WARM_UP_SECONDS));
    const rounds: { cairn: Round[]; redis: Round[] } = { cairn: [], redis: [] };
    const requests = {
      cairn: await requestsFor(ours, row, seconds),
      redis: await requestsFor(theirs, row, seconds),
    };
    for (let round = 0; round < roundCount; round++) {
      rounds.redis.push(await load(theirs, row, requests.redis));
      rounds.cairn.push(await load(ours, row, requests.cairn));
    }
    const ratio = median(
      rounds.cairn.map(({ perSecond }, index) => perSecond / rounds.redis[index]!.perSecond),
    );
    const reached = ratio >= 1;
    failed ||= !reached;
    console.log(`${row.title}, ${CLIENTS} clients, P=${row.pipeline}`);
    console.log(`  Redis  ${summary(rounds.redis)}`);
    console.log(`  Cairn  ${summary(rounds.cairn)}`);
    console.log(`  ${ratio.toFixed(2)} of Redis${reached ? "" : ", 1.00 wanted"}`);
  }
} finally {
  await Promise.all(children.map((child) => {
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill();
    return ended;
  }));
  rmSync(directory, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
