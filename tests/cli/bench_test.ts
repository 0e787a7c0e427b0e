/** `cairn bench`: figures that hold together, and no trace of it afterwards. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { measure } from "../../lib/cli/bench/measure.ts";
import { WORKLOADS } from "../../lib/cli/bench/workloads.ts";
import type { Clock } from "../../lib/clock.ts";
import {
  assertOneLineError,
  cairn,
  cairnFails,
  CairnProcess,
  runCairn,
  runInTerminal,
  startServer,
} from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const SMALL = ["--keys", "200", "--ops", "400"];
const LONG = ["--keys", "500", "--seconds", "600", "--workload", "overwrite"];

/** Time that passes only where a test says so. */
class SteppingClock implements Clock {
  #now = 0;

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  pass(millis: number): void {
    this.#now += millis;
  }

  schedule(delayMs: number, task: () => void) {
    this.pass(delayMs);
    task();
    return { cancel() {} };
  }

  defer(task: () => void): void {
    this.pass(1);
    task();
  }
}

const load = { clients: 1, durationMs: Infinity, rate: undefined, onTurn() {} };

test("measure: with a rate, a stall counts for all that it holds up", async () => {
  for (const { rate, slow } of [{ rate: undefined, slow: 1 }, { rate: 100, slow: 10 }]) {
    const clock = new SteppingClock();
    const stall = (index: number) => Promise.resolve(clock.pass(index === 3 ? 100 : 0.001));
    const { ops, latencies } = await measure(stall, { ...load, opsMax: 20, rate }, clock);
    assert.equal(ops, 20);
    assert.equal(Math.round(latencies.max / 1e6), 100);
    // One operation was slow; 10 ms lie between two that are due.
    assert(latencies.percentile(100 * (20.5 - slow) / 20) > 5e6, "slow ones");
    assert(latencies.percentile(100 * (19.5 - slow) / 20) < 5e6, "quick ones");
  }
});

test("measure: stops where it should, and all clients have ended then", async () => {
  const clock = new SteppingClock();
  const tick = () => Promise.resolve(clock.pass(1));
  const timed = await measure(tick, { ...load, opsMax: Infinity, durationMs: 50 }, clock);
  // Now and then others have their turn, which takes time of this clock.
  assert(timed.ops > 40 && timed.ops <= 50, `${timed.ops}`);
  let running = 0;
  const failing = async (index: number) => {
    running++;
    for (let turn = 0; turn < index; turn++) await Promise.resolve();
    running--;
    if (index === 2) throw new Error("the third");
  };
  await assert.rejects(measure(failing, { ...load, clients: 8, opsMax: 1000 }, clock), /third/);
  assert.equal(running, 0);
});

test("bench: a table of all workloads, and the scratch directory is gone", async () => {
  using directory = new TemporaryDirectory();
  // These two are for those who mean to use a store.
  const env = {
    TMPDIR: directory.path,
    CAIRN_URL: "http://127.0.0.1:1",
    CAIRN_DB: directory.join("mine"),
  };
  const { text } = await cairn(["bench", ...SMALL], { env });
  assert.match(text, /^cairn .* processors\ntarget: +a scratch directory in \S+\n/);
  assert.match(text, /\nload: +200 keys of 16 bytes, values of 100 B, 64 writes in flight, reads/);
  assert.match(text, /\nfsync: +every write is durable when it is answered \(immediate\)/);
  assert.match(text, /\nlatency: service time/);
  const table = text.slice(text.indexOf("|")).trimEnd().split("\n")
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const head = ["workload", "in flight", "ops", "ops/s", "p50", "p90", "p99", "p99.9", "max"];
  assert.deepEqual(table[0], head);
  assert.deepEqual(table.slice(2).map(([name]) => name), WORKLOADS.map(({ name }) => name));
  for (const [name, inFlight, ops, rate, ...latencies] of table.slice(2)) {
    const isOnce = WORKLOADS.find((each) => each.name === name)!.isOnce;
    assert.equal(ops, isOnce ? "200" : "400");
    assert.equal(inFlight, /^(?:read-(?!mostly)|scan)/.test(name!) ? "1" : "64");
    assert.match(rate!, /^[\d,]+$/);
    for (const latency of latencies) assert.match(latency, /^[\d.]+ (?:ns|µs|ms|s)$/);
  }
  assert.deepEqual(readdirSync(directory.path), []);
});

test("bench --json: complete, and percentiles ascend", async () => {
  using directory = new TemporaryDirectory();
  const args = ["--workload", "fillseq,READ_RANDOM", "--durability", "batch", "--rate", "20000"];
  const env = { TMPDIR: directory.path };
  const { text } = await cairn(["bench", "--json", ...SMALL, ...args], { env });
  const { workloads, ...rest } = JSON.parse(text);
  assert.deepEqual(
    [rest.durability, rest.keys, rest.keyBytes, rest.valueBytes, rest.clients, rest.rate],
    ["batch", 200, 16, 100, 64, 20_000],
  );
  assert.deepEqual(
    workloads.map(({ workload, ops }: { workload: string; ops: number }) => [workload, ops]),
    [["fill-seq", 200], ["read-random", 400]],
  );
  for (const { opsPerSecond, durationMs, latencyMs } of workloads) {
    assert(opsPerSecond > 0 && durationMs > 0);
    const { p50, p90, p99, p999, max } = latencyMs;
    const ascending = [0, p50, p90, p99, p999, max];
    assert.deepEqual(ascending, ascending.toSorted((a, b) => a - b));
  }
});

test("bench: of somebody's store only its own keys are touched, and they are removed", async () => {
  using directory = new TemporaryDirectory();
  const store = directory.join("store");
  const lines = ["a", "cairn-bench", "cairn-bench:1-left:000000000001", "cairn-bench;", "z"];
  const stdin = lines.map((key) => `${JSON.stringify({ key, value: key })}\n`).join("");
  await cairn(["import", "-", "--db", store], { stdin });
  const listed = async (...place: string[]) => (await cairn(["list", ...place])).text;
  const before = await listed("--db", store);
  // Keys are there when it ends, and have to be removed.
  const args = [...SMALL, "--workload", "fill-random,delete,read-random,mixed"];
  const onDirectory = await runCairn(["bench", "--db", store, ...args]);
  assert.equal(onDirectory.exitCode, 0, onDirectory.stderr);
  assert.match(onDirectory.stderr, /^cairn: there are keys that begin with cairn-bench: already/);
  assert.equal(await listed("--db", store), before);
  await using server = await startServer(store, ["--durability", "batch"]);
  const onServer = await runCairn(["bench", "--url", server.url, ...args]);
  assert.equal(onServer.exitCode, 0, onServer.stderr);
  assert.match(onServer.text, /target: +the server at http:.*\n.*, 64 requests in flight\n/);
  assert.match(onServer.text, /fsync: +writes are answered before they are durable \(batch\)\n/);
  assert.match(onServer.text, /\| read-random +\| +64 \| +400 \|/);
  assert.equal(await listed("--url", server.url), before);
  await server.stop();
  await cairn(["verify", "--db", store]);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`bench: ${signal} leaves nothing behind`, async () => {
    using directory = new TemporaryDirectory();
    const exitCode = signal === "SIGINT" ? 130 : 143;
    const env = { TMPDIR: directory.path };
    {
      await using scratch = new CairnProcess(["bench", ...LONG], { env });
      await scratch.printed(/latency:/);
      assert.equal(readdirSync(directory.path).length, 1);
      assert.equal((await scratch.stop(signal)).exitCode, exitCode);
      assert.deepEqual(readdirSync(directory.path), []);
    }
    await using server = await startServer(directory.join("store"));
    await cairn(["set", "mine", "1", "--url", server.url]);
    await using bench = new CairnProcess(["bench", "--url", server.url, ...LONG]);
    await bench.printed(/latency:/);
    while (!(await cairn(["list", "--limit", "1", "--url", server.url])).text.startsWith("cairn")) {
      // It has not loaded its keys yet.
    }
    const { stderr, ...ended } = await bench.stop(signal);
    assert.deepEqual([ended.exitCode, stderr], [exitCode, ""]);
    assert.equal((await cairn(["list", "--url", server.url])).text, "mine\n");
  });
}

test("bench: a server that goes away, and what is left then", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.join("store"));
  await using bench = new CairnProcess(["bench", "--url", server.url, ...LONG]);
  await bench.printed(/latency:/);
  await server.stop("SIGKILL");
  const result = await bench.ended();
  assertOneLineError(result, 3);
  assert.match(result.stderr, /cannot reach http:.*cairn-bench:\S+: are left: remove them with/);
});

test("bench: what it refuses", async () => {
  using directory = new TemporaryDirectory();
  const env = { TMPDIR: directory.path };
  const missing = directory.join("missing");
  assert.match(await cairnFails(6, ["bench", "--db", missing]), /there is no store in/);
  mkdirSync(directory.join("empty"));
  assert.match(await cairnFails(6, ["bench", "--db", directory.join("empty")]), /no store in/);
  assert.deepEqual(readdirSync(directory.join("empty")), []);
  assert.match(
    await cairnFails(2, ["bench", "--workload", "fil-seq"]),
    /no workload "fil-seq" \(Did you mean fill-seq\?\); there are fill-seq, fill-random,/,
  );
  const url = ["--url", "http://127.0.0.1:1"];
  assert.match(await cairnFails(2, ["bench", "--durability", "batch", ...url]), /server decides/);
  assert.match(await cairnFails(2, ["bench", "--db", missing, ...url]), /exclude each other/);
  assert.match(await cairnFails(2, ["bench", "--ops", "1", "--seconds", "1"]), /cannot be used/);
  assert.match(await cairnFails(2, ["bench", "--keys", "0"]), /from 1 to 10000000/);
  const huge = ["--keys", "10000000", "--value-bytes", "67108864"];
  assert.match(await cairnFails(2, ["bench", ...huge], { env }), /it may take .* TiB, and in/);
  const nowhere = { TMPDIR: missing };
  assert.match(await cairnFails(6, ["bench", ...SMALL], { env: nowhere }), /another with TMPDIR/);
  assert.deepEqual(readdirSync(directory.path), ["empty"]);
});

test("terminal: bench shows how far it is", async () => {
  using directory = new TemporaryDirectory();
  const env = { TERM: "xterm", TMPDIR: directory.path };
  const args = "--ops 20000 --keys 1000 --durability batch --workload overwrite";
  const shown = await runInTerminal(`"$CAIRN" bench ${args}`, { env });
  if (shown === undefined) return;
  const drawn = shown.text.split("\r\x1b[K");
  const bar = /^1\/1 overwrite {2}\[[#-]{24}\] +\d+% {2}[\d,]+ ops {2}[\d,]+\/s/;
  assert(drawn.some((line) => bar.test(line)), shown.text);
  assert.match(drawn.at(-1)!, /^\| workload /);
});
