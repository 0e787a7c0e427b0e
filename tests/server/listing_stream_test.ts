/** `Accept: application/x-ndjson`: everything, at the pace of the reader, and whole or visibly not. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { createApp, listen } from "../../lib/server/http/mod.ts";
import { KvError, type KvStore } from "../../lib/mod.ts";
import { exchangeUntilClosed } from "../support/cairn_process.ts";
import { MemoryLogger, until } from "../support/test_store.ts";
import { assertProblem, Service } from "./service.ts";

const NDJSON = { headers: { accept: "application/x-ndjson" } };
const ACCEPT = "Accept: application/x-ndjson\r\n";
const LAZY = { durability: { bytes: 1 << 20, millis: 1000 } };

async function startWith(count: number, value = "v"): Promise<Service> {
  const service = await Service.start({}, LAZY);
  for (let i = 0; i < count; i++) service.store.setSync(String(i).padStart(6, "0"), value);
  return service;
}

/** Counts how many entries are taken from scans, and whether they are ended. */
function watchScans(store: KvStore): { taken: number; ended: boolean } {
  const scan = store.scan.bind(store);
  const seen = { taken: 0, ended: false };
  store.scan = async function* (options) {
    try {
      for await (const entry of scan(options)) {
        seen.taken++;
        yield entry;
      }
    } finally {
      seen.ended = true;
    }
  };
  return seen;
}

test("stream: one entry a line, all of them", async () => {
  await using service = await startWith(5000);
  const response = await service.ask("GET", "/v1/kv?prefix=00&values=1", NDJSON);
  assert.equal(response.headers.get("content-type"), "application/x-ndjson");
  assert.equal(response.headers.get("vary"), "accept");
  const lines = (await response.text()).split("\n");
  assert.equal(lines.pop(), "");
  assert.equal(lines.length, 5000);
  lines.forEach((line, i) => {
    const key = String(i).padStart(6, "0");
    assert.deepEqual(JSON.parse(line), { key, version: i + 1, size: 1, value: "v" });
  });
  const some = await (await service.ask("GET", "/v1/kv?reverse=1&limit=2", NDJSON)).text();
  assert.match(some, /^\{"key":"004999".*\n\{"key":"004998".*\n$/);
  assert.equal(await (await service.ask("GET", "/v1/kv?prefix=x", NDJSON)).text(), "");
});

test("stream: only where Accept asks for it", async () => {
  await using service = await startWith(1);
  const types: [accept: string, type: string][] = [
    ["*/*", "application/json"],
    ["application/json", "application/json"],
    ["application/x-ndjson;q=0", "application/json"],
    ["application/json, application/x-ndjson;q=0.5", "application/json"],
    ["application/x-ndjson, application/json;q=0.5", "application/x-ndjson"],
    ["text/plain, Application/X-NDJSON", "application/x-ndjson"],
  ];
  for (const [accept, type] of types) {
    const response = await service.ask("GET", "/v1/kv", { headers: { accept } });
    assert.equal(response.headers.get("content-type"), type, accept);
    await response.text();
  }
});

test("stream: goes on behind a page's cursor", async () => {
  await using service = await startWith(10);
  const { cursor } = await (await service.ask("GET", "/v1/kv?limit=7")).json();
  const rest = await (await service.ask("GET", `/v1/kv?cursor=${cursor}`, NDJSON)).text();
  assert.deepEqual(rest.trimEnd().split("\n").map((line) => JSON.parse(line).key), [
    "000007",
    "000008",
    "000009",
  ]);
});

test("stream: nothing is read ahead of the reader", async () => {
  await using service = await startWith(2000, "x".repeat(10_000));
  const seen = watchScans(service.store);
  const response = await service.ask("GET", "/v1/kv?values=1", NDJSON);
  const reader = response.body!.getReader();
  // A chunk has 64 KiB or a little more: seven entries of 10 kB.
  for (let chunks = 1; chunks <= 5; chunks++) {
    const { value } = await reader.read();
    assert(value!.length < 80_000);
    assert.equal(seen.taken, chunks * 7);
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(seen.taken, 35);
  await reader.cancel();
  await until("the scan ends", () => seen.ended);
  assert.equal(seen.taken, 35);
});

test("stream: HEAD ends it before it has begun", async () => {
  await using service = await startWith(2000, "x".repeat(1000));
  const seen = watchScans(service.store);
  const response = await service.ask("HEAD", "/v1/kv?values=1", NDJSON);
  assert.deepEqual([response.status, await response.text()], [200, ""]);
  await until("the scan ends", () => seen.ended);
  assert(seen.taken < 100);
});

test("stream: a client that stops reading holds it up, one that goes away ends it", async () => {
  await using service = await startWith(600, "x".repeat(100_000));
  const seen = watchScans(service.store);
  const app = createApp(service.store);
  const listener = listen({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => app.fetch(request),
  });
  const socket = connect(listener.port, "127.0.0.1");
  socket.write(`GET /v1/kv?values=1 HTTP/1.1\r\nHost: localhost\r\n${ACCEPT}\r\n`);
  socket.once("data", () => socket.pause());
  let before: number;
  do {
    before = seen.taken;
    await new Promise((resolve) => setTimeout(resolve, 100));
  } while (before === 0 || seen.taken > before);
  // 60 MB in all: what the kernel takes is far less.
  assert(seen.taken < 300, `${seen.taken} entries were taken`);
  assert.equal(seen.ended, false);
  socket.destroy();
  await until("the scan ends", () => seen.ended);
  assert(seen.taken < 300);
  await listener.close(1000);
});

test("stream: a store that is closed cuts it off, without a word in the log", async () => {
  await using service = await startWith(2000, "x".repeat(1000));
  const logger = new MemoryLogger();
  const app = createApp(service.store, { logger });
  const response = await app.request("http://localhost:8620/v1/kv?values=1", NDJSON);
  const reader = response.body!.getReader();
  await reader.read();
  await service.store.close();
  await assert.rejects(
    async () => {
      while (!(await reader.read()).done);
    },
    (error) => error instanceof KvError && error.code === "Closed",
  );
  assert.deepEqual(logger.troubles, []);
});

test("stream: what fails at the start is a problem, what fails later cuts it off", async () => {
  const logged: string[] = [];
  const log = (message: string) => logged.push(message);
  const logger = { debug: () => {}, info: log, warn: log, error: log };
  await using service = await startWith(2000, "x".repeat(100));
  const { store } = service;
  const app = createApp(store, { logger });
  const listener = listen({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => app.fetch(request),
  });
  const request = `GET /v1/kv?values=1 HTTP/1.1\r\nHost: 127.0.0.1:${listener.port}\r\n` +
    `${ACCEPT}Connection: close\r\n\r\n`;
  const whole = await exchangeUntilClosed(listener.port, request);
  assert.match(whole, /\r\n0\r\n\r\n$/, "a whole stream ends with the empty chunk");

  const getEntry = store.getEntry.bind(store);
  let failAt = 1000;
  store.getEntry = (key) =>
    Number(key) === failAt ? Promise.reject(new KvError("CorruptLog", "damaged")) : getEntry(key);
  const cut = await exchangeUntilClosed(listener.port, request);
  assert.match(cut, /^HTTP\/1\.1 200 /);
  assert(cut.includes('"000500"') && !cut.includes('"001500"'));
  assert.doesNotMatch(cut, /\r\n0\r\n\r\n$/, "nobody can take it for all there is");
  assert.deepEqual(logged, ["A listing was cut off: {error}"]);

  failAt = 0;
  const refused = await app.request("/v1/kv?values=1", NDJSON);
  await assertProblem(refused, 500, "CorruptLog");
  await listener.close(1000);
});
