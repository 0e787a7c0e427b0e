/**
 * redis-benchmark against Cairn and against Redis, both of which have all keys. Wants redis-server and
 * redis-benchmark (Debian: `redis-server`, `redis-tools`).
 *
 * The client takes about as much of the processor as a server does, so on a machine with few cores a
 * rate tells of both. Therefore the two have their turns in many short slices, each of ours is divided
 * by the one of theirs beside it, and what a server itself takes for a command is counted, too.
 */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Samples } from "../results.ts";
import { median, ratiosOf, spreadOf } from "../statistics.ts";
import { makeKeys, makeValue } from "../workload.ts";
import { childrenCpuMicros, cpuMicros, machineCpuMicros } from "./cpu_time.ts";
import {
  addRound,
  inDirectory,
  type Measure,
  type MeasureContext,
  orderOf,
  showFigures,
} from "./measure.ts";
import { runSubject, serverCommand } from "./run_subject.ts";
import { freePort, type Server, Servers } from "./server_process.ts";

/** What redis-benchmark is asked to do with which servers. */
interface Load {
  /** The figures' name. */
  name: string;
  /** The name of its row in the table. */
  row: string;
  command: "SET" | "GET";
  pipeline: number;
  isDurable: boolean;
}

const CLIENTS = 64;
const VALUE_BYTES = 100;
/** How many requests tell how many take about as long as is wanted. */
const PROBE_REQUESTS = 5000;
/** Slices of each server for every round of other measures, and how long one takes of theirs. */
const SLICES_PER_ROUND = 2;
const SLICE_SHARE = 1 / 3;
/** A server has settled when it takes less than this share of a core; it is waited for so long. */
const IDLE_SHARE = 0.1;
const IDLE_LOOK_MS = 50;
const IDLE_MS_MAX = 5000;
/** A slice during which others took more than this of a core tells nothing; so often it is repeated. */
const OTHERS_SHARE_MAX = 0.15;
const REPEATS_MAX = 4;
const FILL_COMMAND_KEYS = 1000;

const LOADS: readonly Load[] = [1, 16].flatMap((pipeline) => [
  loadOf("durableSet", "SET", pipeline, true),
  loadOf("set", "SET", pipeline, false),
  loadOf("get", "GET", pipeline, false),
]);

function loadOf(
  name: string,
  command: "SET" | "GET",
  pipeline: number,
  isDurable: boolean,
): Load {
  const row = `redis-${name.replace("S", "-s")}-${pipeline}`;
  return { name: `${name}P${pipeline}`, row, command, pipeline, isDurable };
}

async function startCairn(
  context: MeasureContext,
  servers: Servers,
  parent: string,
  isDurable: boolean,
): Promise<Server> {
  const directory = join(parent, isDurable ? "cairn-durable" : "cairn-batch");
  mkdirSync(directory);
  await runSubject(context, "prepare", { subject: "cairn", directory });
  const port = await freePort();
  // As often as Redis does with everysec; of one second's worth of writes, none is waited for.
  const batch = ["--durability", "batch", "--batch-millis", "1000", "--batch-bytes", `${1 << 30}`];
  const [program, ...args] = serverCommand(context.runtime);
  return await servers.startOn(port, program, [
    ...args,
    "main.ts",
    "--log-level",
    "error",
    "serve",
    "--db",
    directory,
    "--http",
    "127.0.0.1:0",
    "--tcp",
    `127.0.0.1:${port}`,
    ...(isDurable ? [] : batch),
  ]);
}

async function startRedis(
  { keys }: MeasureContext,
  servers: Servers,
  parent: string,
  isDurable: boolean,
): Promise<Server> {
  const dir = join(parent, isDurable ? "redis-always" : "redis-everysec");
  mkdirSync(dir);
  const port = await freePort();
  const appendfsync = isDurable ? "always" : "everysec";
  // Its log is never written anew: that would keep a core busy while the other one has its turn.
  const rewriting = { "auto-aof-rewrite-percentage": 0 };
  const files = { dir, appendonly: "yes", appendfsync, save: "", ...rewriting };
  const settings = { port, bind: "127.0.0.1", ...files };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = await servers.startOn(port, "redis-server", [...args, "--loglevel", "warning"]);
  await fill(port, makeKeys(keys));
  return server;
}

/** Sets all keys, a thousand in one command. */
async function fill(port: number, keys: readonly string[]): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const value = new TextDecoder("latin1").decode(makeValue(VALUE_BYTES).map((byte) => byte & 0x7f));
  const commands = Math.ceil(keys.length / FILL_COMMAND_KEYS);
  let replies = 0;
  const done = new Promise<void>((resolve) => {
    socket.on("data", (chunk) => {
      for (const byte of chunk as Uint8Array) if (byte === 0x0a) replies++;
      if (replies === commands) resolve();
    });
  });
  for (let at = 0; at < keys.length; at += FILL_COMMAND_KEYS) {
    const part = keys.slice(at, at + FILL_COMMAND_KEYS);
    const pairs = part.map((key) => `$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`);
    const command = `*${1 + 2 * part.length}\r\n$4\r\nMSET\r\n${pairs.join("")}`;
    if (!socket.write(command)) await once(socket, "drain");
  }
  await done;
  socket.destroy();
}

/** What one run of redis-benchmark tells, and what was measured around it. */
interface Slice {
  perSecond: number;
  p50: number;
  p99: number;
  /** Microseconds of the processor that the server took for a command, and the client. */
  serverMicros: number;
  clientMicros: number;
  /** What others took meanwhile, as a share of one core. */
  othersShare: number;
}

async function benchmark(
  { port, child }: Server,
  { command, pipeline }: Load,
  requests: number,
  keys: number,
): Promise<Slice> {
  const count = Math.ceil(requests);
  const options = {
    p: port,
    c: CLIENTS,
    P: pipeline,
    n: count,
    r: keys,
    d: VALUE_BYTES,
    t: command.toLowerCase(),
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)]);
  const before = cpuNow(child.pid!);
  const begin = performance.now();
  const { stdout } = await promisify(execFile)("redis-benchmark", [...args, "--csv"]);
  const micros = (performance.now() - begin) * 1000;
  const after = cpuNow(child.pid!);
  const server = after.server - before.server;
  const client = after.client - before.client;
  const others = after.machine - before.machine - (after.own - before.own) - server - client;
  const line = stdout.split("\n").find((each) => each.startsWith(`"${command}"`));
  if (line === undefined) throw new Error(`redis-benchmark: ${stdout}`);
  const [perSecond, , , p50, , p99] = line.replaceAll('"', "").split(",").slice(1).map(Number);
  return {
    perSecond: perSecond!,
    p50: p50!,
    p99: p99!,
    serverMicros: server / count,
    clientMicros: client / count,
    othersShare: others / micros,
  };
}

function cpuNow(server: number) {
  return {
    server: cpuMicros(server),
    client: childrenCpuMicros(),
    own: cpuMicros("self"),
    machine: machineCpuMicros(),
  };
}

/** As {@link benchmark}, when both servers have settled; once more if others were busy meanwhile. */
async function undisturbed(
  { keys, log }: MeasureContext,
  servers: readonly Server[],
  server: Server,
  load: Load,
  requests: number,
): Promise<Slice> {
  for (let repeats = 0;; repeats++) {
    for (const each of servers) await settle(each);
    const slice = await benchmark(server, load, requests, keys);
    const { othersShare } = slice;
    if (!(othersShare > OTHERS_SHARE_MAX)) return slice;
    const share = `${Math.round(100 * othersShare)} %`;
    if (repeats === REPEATS_MAX) {
      log(`${load.name}: others take ${share} of a core again and again; this slice counts`);
      return slice;
    }
  }
}

/** Waits until a server has done what it does by itself after a load, such as compaction. */
async function settle({ child }: Server): Promise<void> {
  for (let waited = 0; waited < IDLE_MS_MAX; waited += IDLE_LOOK_MS) {
    const before = cpuMicros(child.pid!);
    await delay(IDLE_LOOK_MS);
    const share = (cpuMicros(child.pid!) - before) / (IDLE_LOOK_MS * 1000);
    if (!(share >= IDLE_SHARE)) return;
  }
}

/** One kind of load on both servers, in turns. */
async function alternate(
  context: MeasureContext,
  servers: { cairn: Server; redis: Server },
  load: Load,
  samples: Samples,
): Promise<void> {
  const { keys, rounds, options, log } = context;
  const names = ["redis", "cairn"] as const;
  const requests = { redis: 0, cairn: 0 };
  const seconds = options.millis * SLICE_SHARE / 1000;
  for (const name of names) {
    const server = servers[name];
    const cold = await benchmark(server, load, PROBE_REQUESTS * load.pipeline, keys);
    // This does not count either: runtimes compile what is hot.
    const warm = await benchmark(server, load, cold.perSecond * seconds, keys);
    requests[name] = warm.perSecond * seconds;
  }
  for (let round = 0; round < rounds; round++) {
    for (const name of orderOf(names, round)) {
      const both = names.map((each) => servers[each]);
      const slice = await undisturbed(context, both, servers[name], load, requests[name]);
      const { perSecond, p50, p99, serverMicros, clientMicros } = slice;
      addRound(samples, name, {
        [`${load.name}PerSecond`]: perSecond,
        [`${load.name}P50Millis`]: p50,
        [`${load.name}P99Millis`]: p99,
        ...(serverMicros >= 0 && { [`${load.name}CpuMicros`]: serverMicros }),
        ...(clientMicros >= 0 && { [`${load.name}ClientCpuMicros`]: clientMicros }),
      });
    }
  }
  for (const name of names) log(`${load.name.padEnd(14)} ${name.padEnd(6)} ${figuresOf(name)}`);
  const { median: middle, min, max } = spreadOf(ratios("PerSecond"));
  const cpu = median(ratios("CpuMicros"));
  const spread = `${min.toFixed(2)} to ${max.toFixed(2)}`;
  log(`${load.name.padEnd(14)} ratio  ${middle.toFixed(3)} (${spread}), CPU ${cpu.toFixed(2)}`);

  function figuresOf(name: typeof names[number]): string {
    const own = Object.entries(samples[name]!).filter(([each]) => each.startsWith(load.name));
    return showFigures(Object.fromEntries(
      own.map(([each, values]) => [each.slice(load.name.length), median(values)]),
    ));
  }

  function ratios(figure: string): number[] {
    const [ours, theirs] = [samples["cairn"]!, samples["redis"]!].map((each) =>
      each[`${load.name}${figure}`] ?? []
    );
    return ratiosOf(ours!, theirs!);
  }
}

/** All loads; where nothing is kept, only those that were asked for. */
function loadsOf({ options: { only, peers } }: MeasureContext): Load[] {
  const isAll = peers === undefined || only.every((each) => !each.startsWith("redis-"));
  return LOADS.filter(({ row }) => isAll || only.some((each) => row.startsWith(each)));
}

async function redis(context: MeasureContext): Promise<Samples> {
  const samples: Samples = {};
  await inDirectory(context.directory, async (parent) => {
    for (const isDurable of [true, false]) {
      const loads = loadsOf(context).filter((load) => load.isDurable === isDurable);
      if (loads.length === 0) continue;
      await using servers = new Servers();
      const pair = {
        redis: await startRedis(context, servers, parent, isDurable),
        cairn: await startCairn(context, servers, parent, isDurable),
      };
      for (const load of loads) await alternate(context, pair, load, samples);
    }
  });
  return samples;
}

/** The measure of the TCP service. */
export const REDIS_MEASURE: Measure = {
  name: "redis",
  keys: (base) => base,
  rounds: (base) => SLICES_PER_ROUND * base,
  run: redis,
};
