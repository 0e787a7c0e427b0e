/** Clients of Redis as they are: ioredis, redis-cli and redis-benchmark. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { Redis } from "ioredis";
import type { KvStore } from "../../lib/mod.ts";
import { AccessControl, createTcpServer } from "../../lib/server/tcp/mod.ts";
import { openInMemory, text } from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const TOOLS_MISSING = spawnSync("redis-cli", ["--version"]).status === 0
  ? undefined
  : "there is no redis-cli";

/** A store, served on a port of its own. */
class Served implements AsyncDisposable {
  readonly store: KvStore;
  readonly port: number;
  readonly #server: AsyncDisposable;
  readonly #clients: Redis[] = [];

  private constructor(store: KvStore, server: AsyncDisposable, port: number) {
    this.store = store;
    this.#server = server;
    this.port = port;
  }

  static async start(access?: AccessControl): Promise<Served> {
    const store = await openInMemory();
    const server = createTcpServer(store, access === undefined ? {} : { access });
    const { port } = await server.listen({ port: 0 });
    return new Served(store, server, port);
  }

  /** A client, connected. */
  async client(options: { password?: string } = {}): Promise<Redis> {
    const client = new Redis({
      port: this.port,
      lazyConnect: true,
      retryStrategy: () => null,
      ...options,
    });
    client.on("error", () => {});
    this.#clients.push(client);
    await client.connect();
    return client;
  }

  /** What a program of Redis prints; `-p` and the port are added to its arguments. */
  async run(program: string, args: string[], input = ""): Promise<string> {
    const child = spawn(program, ["-p", String(this.port), ...args], { stdio: "pipe" });
    let output = "";
    child.stdout.on("data", (chunk) => output += chunk);
    child.stderr.on("data", (chunk) => output += chunk);
    child.stdin.end(input);
    const status = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(status, 0, output);
    return output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await this.#server[Symbol.asyncDispose]();
    await this.store.close();
  }
}

test("ioredis: values, numbers, times and nothing", async () => {
  await using served = await Served.start();
  const client = await served.client();
  assert.equal(await client.set("grüezi", "wohl"), "OK");
  assert.equal(await client.get("grüezi"), "wohl");
  assert.equal(text(await served.store.get("grüezi")), "wohl");
  assert.equal(await client.get("nobody"), null);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  await client.set("bytes", bytes);
  assert.deepEqual(await client.getBuffer("bytes"), bytes);
  assert.equal(await client.set("a", "1", "EX", 100, "NX"), "OK");
  assert.equal(await client.set("a", "1", "EX", 100, "NX"), null);
  assert.equal(await client.incrby("a", 41), 42);
  assert.equal(await client.incrbyfloat("a", 0.5), "42.5");
  assert.equal(await client.ttl("a"), 100);
  assert.deepEqual(await client.mget("a", "nobody", "grüezi"), ["42.5", null, "wohl"]);
  assert.equal(await client.del("a", "nobody"), 1);
  await assert.rejects(client.incr("grüezi"), /ERR value is not an integer or out of range/);
  await assert.rejects(client.call("NONSENSE"), /ERR unknown command 'NONSENSE'/);
});

test("ioredis: pipelines, transactions and watched keys", async () => {
  await using served = await Served.start();
  const client = await served.client();
  const pipeline = client.pipeline();
  for (let number = 0; number < 2000; number++) {
    pipeline.set(`key:${number}`, number).get(`key:${number}`);
  }
  const replies = (await pipeline.exec())!;
  assert.deepEqual(replies.slice(-2), [[null, "OK"], [null, "1999"]]);
  assert.deepEqual(await client.multi().set("a", 1).incr("a").get("a").exec(), [
    [null, "OK"],
    [null, 2],
    [null, "2"],
  ]);
  const other = await served.client();
  await client.watch("a");
  await other.set("a", 7);
  assert.equal(await client.multi().set("a", 8).exec(), null);
  assert.equal(await client.get("a"), "7");
  const failed = (await client.multi().set("text", "x").incr("text").exec())!;
  assert.match(String(failed[1]![0]), /not an integer/);
});

test("ioredis: a scan as a stream, and everything deleted", async () => {
  await using served = await Served.start();
  const client = await served.client();
  for (let number = 0; number < 300; number++) void client.set(`user:${number}`, "x");
  await client.set("other", "x");
  const found: string[] = [];
  for await (const keys of client.scanStream({ match: "user:*", count: 37 })) found.push(...keys);
  assert.equal(new Set(found).size, 300);
  assert.equal(found.length, 300);
  assert.equal((await client.keys("user:1?")).length, 10);
  assert.equal(await client.dbsize(), 301);
  assert.equal(await client.flushall(), "OK");
  assert.equal(await client.dbsize(), 0);
});

test("ioredis: a token as the password", async () => {
  await using served = await Served.start(new AccessControl({ full: TOKEN }));
  const client = await served.client({ password: TOKEN });
  assert.equal(await client.set("a", "1"), "OK");
  await assert.rejects(client.flushall(), /'flushall' is not allowed on this server/);
  await assert.rejects(served.client());
  await assert.rejects(served.client({ password: `${TOKEN}0` }));
});

testUnless(
  TOOLS_MISSING,
  "redis-cli: commands, both versions of the protocol, and a scan",
  async () => {
    await using served = await Served.start();
    const cli = (...args: string[]) => served.run("redis-cli", args);
    assert.equal(await cli("set", "greeting", "hello"), "OK\n");
    assert.equal(await cli("get", "greeting"), "hello\n");
    assert.equal(await cli("--no-raw", "get", "nobody"), "(nil)\n");
    assert.match(await cli("-3", "hello"), /^server redis\nversion 7.*\nproto 3\n/);
    assert.match(await cli("-3", "info", "replication"), /role:master/);
    assert.match(await cli("command", "docs", "get"), /Returns the value of a key/);
    for (let number = 0; number < 25; number++) await served.store.set(`user:${number}`, "x");
    assert.equal((await cli("--scan", "--pattern", "user:*")).trim().split("\n").length, 25);
    assert.equal(await served.run("redis-cli", ["-x", "set", "stdin"], "from stdin"), "OK\n");
    assert.equal(text(await served.store.get("stdin")), "from stdin");
    const script = ["multi", "incr n", "incr n", "exec", "get n", "quit"].join("\n");
    const output = await served.run("redis-cli", [], script);
    assert.equal(output, "OK\nQUEUED\nQUEUED\n1\n2\n2\n");
  },
);

testUnless(TOOLS_MISSING, "redis-cli: many commands at once, by --pipe", async () => {
  await using served = await Served.start();
  const input = Array.from(
    { length: 5000 },
    (_, number) => `*3\r\n$3\r\nSET\r\n$8\r\nkey:${String(number).padStart(4, "0")}\r\n$1\r\nx\r\n`,
  ).join("");
  assert.match(await served.run("redis-cli", ["--pipe"], input), /errors: 0, replies: 5000/);
  assert.equal(served.store.size, 5000);
});

testUnless(
  TOOLS_MISSING,
  "redis-benchmark: runs to its end, with and without pipelining",
  async () => {
    await using served = await Served.start();
    for (const pipeline of ["1", "16"]) {
      const output = await served.run("redis-benchmark", [
        ..."-n 500 -c 20 -r 100 -d 100 -q -t ping_mbulk,set,get,incr,mset --csv".split(" "),
        "-P",
        pipeline,
      ]);
      assert.match(output, /"MSET \(10 keys\)","\d/);
      assert(!/error/i.test(output), output);
    }
    assert(Number(text(await served.store.get("counter:__rand_int__")) ?? "1") >= 1);
  },
);
