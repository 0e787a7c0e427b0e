/**
 * redis-benchmark against Cairn and against Redis, both of which have all keys. Wants redis-server and
 * redis-benchmark (Debian: `redis-server`, `redis-tools`).
 */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Samples } from "../results.ts";
import { makeKeys, makeValue } from "../workload.ts";
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
  command: "SET" | "GET";
  pipeline: number;
  isDurable: boolean;
}

const CLIENTS = 64;
const VALUE_BYTES = 100;
/** How many requests tell how many take about as long as is wanted. */
const PROBE_REQUESTS = 5000;
const FILL_COMMAND_KEYS = 1000;

const LOADS: readonly Load[] = [1, 16].flatMap((pipeline) =>
  [
    { name: `durableSetP${pipeline}`, command: "SET", pipeline, isDurable: true },
    { name: `setP${pipeline}`, command: "SET", pipeline, isDurable: false },
    { name: `getP${pipeline}`, command: "GET", pipeline, isDurable: false },
  ] satisfies Load[]
);

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
  const settings = { port, dir, appendonly: "yes", appendfsync, save: "", bind: "127.0.0.1" };
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

async function benchmark(
  { port }: Server,
  { command, pipeline }: Load,
  requests: number,
  keys: number,
): Promise<{ perSecond: number; p50: number; p99: number }> {
  const options = {
    p: port,
    c: CLIENTS,
    P: pipeline,
    n: Math.ceil(requests),
    r: keys,
    d: VALUE_BYTES,
    t: command.toLowerCase(),
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)]);
  const { stdout } = await promisify(execFile)("redis-benchmark", [...args, "--csv"]);
  const line = stdout.split("\n").find((each) => each.startsWith(`"${command}"`));
  if (line === undefined) throw new Error(`redis-benchmark: ${stdout}`);
  const [perSecond, , , p50, , p99] = line.replaceAll('"', "").split(",").slice(1).map(Number);
  return { perSecond: perSecond!, p50: p50!, p99: p99! };
}

/** One kind of load on both servers, in turns. */
async function alternate(
  context: MeasureContext,
  servers: { cairn: Server; redis: Server },
  load: Load,
  samples: Samples,
): Promise<void> {
  const { keys, rounds, options } = context;
  const names = ["redis", "cairn"] as const;
  const requests = { redis: 0, cairn: 0 };
  for (const name of names) {
    const server = servers[name];
    const cold = await benchmark(server, load, PROBE_REQUESTS * load.pipeline, keys);
    // This does not count either: runtimes compile what is hot.
    const warm = await benchmark(server, load, cold.perSecond * options.millis / 1000, keys);
    requests[name] = warm.perSecond * options.millis / 1000;
  }
  for (let round = 0; round < rounds; round++) {
    for (const name of orderOf(names, round)) {
      const { perSecond, p50, p99 } = await benchmark(servers[name], load, requests[name], keys);
      const figures = {
        [`${load.name}PerSecond`]: perSecond,
        [`${load.name}P50Millis`]: p50,
        [`${load.name}P99Millis`]: p99,
      };
      addRound(samples, name, figures);
      context.log(`round ${round + 1}  ${name.padEnd(6)} ${showFigures(figures)}`);
    }
  }
}

async function redis(context: MeasureContext): Promise<Samples> {
  const samples: Samples = {};
  await inDirectory(context.directory, async (parent) => {
    for (const isDurable of [true, false]) {
      await using servers = new Servers();
      const pair = {
        redis: await startRedis(context, servers, parent, isDurable),
        cairn: await startCairn(context, servers, parent, isDurable),
      };
      for (const load of LOADS) {
        if (load.isDurable === isDurable) await alternate(context, pair, load, samples);
      }
    }
  });
  return samples;
}

/** The measure of the TCP service. */
export const REDIS_MEASURE: Measure = {
  name: "redis",
  keys: (base) => base,
  rounds: (base) => base,
  run: redis,
};
