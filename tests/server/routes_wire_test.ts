/** The routes of the executable, through sockets: what differs from runtime to runtime. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { test } from "node:test";
import { KvStore } from "../../lib/mod.ts";
import { exchangeUntilClosed, rawExchange, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const NDJSON = "application/x-ndjson";

test("wire: each route answers as documented", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const ask = (method: string, path: string, headers: HeadersInit = {}, body?: BodyInit) =>
    fetch(server.url + path, { method, headers, ...(body === undefined ? {} : { body }) });
  const statuses: [
    status: number,
    method: string,
    path: string,
    headers?: HeadersInit,
    body?: string,
  ][] = [
    [201, "PUT", "/v1/kv/a?ttl=60", {}, "0123456789"],
    [204, "PUT", "/v1/kv/a", { "if-match": '"1"' }, "0123456789"],
    [412, "PUT", "/v1/kv/a", { "if-none-match": "*" }, "x"],
    [400, "PUT", "/v1/kv/a?ttl=0", {}, "x"],
    [200, "GET", "/v1/kv/a"],
    [206, "GET", "/v1/kv/a", { range: "bytes=2-3" }],
    [416, "GET", "/v1/kv/a", { range: "bytes=10-" }],
    [304, "GET", "/v1/kv/a", { "if-none-match": '"2"' }],
    [404, "GET", "/v1/kv/none"],
    [200, "HEAD", "/v1/kv/a"],
    [404, "HEAD", "/v1/kv/none"],
    [200, "GET", "/v1/kv?values=1"],
    [400, "GET", "/v1/kv?limit=0"],
    [200, "HEAD", "/v1/kv"],
    [200, "POST", "/v1/batch", { "content-type": "application/json" }, '{"ops":[]}'],
    [400, "POST", "/v1/batch", { "content-type": "application/json" }, "{"],
    [415, "POST", "/v1/batch", {}, "{}"],
    [
      409,
      "POST",
      "/v1/batch",
      { "content-type": "application/json" },
      '{"ops":[],"checks":[{"key":"a","version":null}]}',
    ],
    [204, "POST", "/v1/flush"],
    [200, "POST", "/v1/compact"],
    [200, "GET", "/v1/stats"],
    [200, "GET", "/healthz"],
    [200, "GET", "/readyz"],
    [200, "GET", "/openapi.json"],
    [200, "GET", "/docs"],
    [204, "OPTIONS", "/v1/kv/a"],
    [405, "POST", "/v1/kv/a"],
    [404, "GET", "/healthz/"],
    [204, "DELETE", "/v1/kv/a"],
    [404, "DELETE", "/v1/kv/a"],
  ];
  for (const [status, method, path, headers, body] of statuses) {
    const response = await ask(method, path, headers, body);
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path}: ${text}`);
    const isProblem = status >= 400 && method !== "HEAD";
    if (isProblem) assert.equal(JSON.parse(text).status, status);
  }
});

test("wire: a range, and a HEAD, with exact lengths", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  // On either side of the length from which reading is done on another thread.
  for (const length of [10, 32_768, 32_769, 3_000_000]) {
    const value = Uint8Array.from({ length }, (_, index) => (index * 7) & 0xff);
    await fetch(`${server.url}/v1/kv/a`, { method: "PUT", body: value });
    const got = await fetch(`${server.url}/v1/kv/a`, {
      headers: { range: `bytes=3-${length - 2}` },
    });
    assert.equal(got.headers.get("content-length"), String(length - 4));
    assert.deepEqual(new Uint8Array(await got.arrayBuffer()), value.slice(3, length - 1));
    const head = await exchangeUntilClosed(
      server.port,
      `HEAD /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(head, new RegExp(`\r\ncontent-length: ${length}\r\n`, "i"));
    assert.equal(head.match(/content-length/gi)?.length, 1);
    assert.match(head, /\r\n\r\n$/);
  }
});

test("wire: long keys, up to where a server stops to read the path", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const url = (key: string) => `${server.url}/v1/kv/${key}`;
  assert.equal((await fetch(url("k".repeat(15_000)), { method: "PUT", body: "x" })).status, 201);
  const { entries } = await (await fetch(`${server.url}/v1/kv`)).json();
  assert.equal(entries[0].key.length, 15_000);
  const beyond = await rawExchange(
    server.port,
    `GET /v1/kv/${"k".repeat(40_000)} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`,
  );
  assert.match(beyond, /^HTTP\/1\.1 4\d\d /);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
});

/** 600 values of 100 kB: far more than lies in buffers on the way to a client. */
async function fill(path: string): Promise<void> {
  await using store = await KvStore.open(path, { durability: { bytes: 1 << 30, millis: 60_000 } });
  const value = Buffer.alloc(100_000, "x");
  for (let i = 0; i < 600; i++) store.setSync(String(i).padStart(3, "0"), value);
}

test("wire: a stream is read no faster than its reader takes it, and then whole", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path);
  await using server = await startServer(directory.path, ["--durability", "batch"]);
  const { headers, body } = await fetch(`${server.url}/v1/kv?values=1`, {
    headers: { accept: NDJSON },
  });
  assert.equal(headers.get("content-type"), NDJSON);
  const reader = body!.getReader();
  const decoder = new TextDecoder();
  let text = decoder.decode((await reader.read()).value);
  // Time for a server to read on that should not.
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (let i = 500; i < 600; i++) {
    const response = await fetch(`${server.url}/v1/kv/${i}`, { method: "DELETE" });
    assert.equal(response.status, 204);
  }
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += decoder.decode(read.value, { stream: true });
  }
  const keys = text.trimEnd().split("\n").map((line) => JSON.parse(line).key);
  assert.deepEqual(keys, Array.from({ length: 500 }, (_, i) => String(i).padStart(3, "0")));
});

test("wire: a stream ends with the chunk that says so; readers that go away do no harm", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path);
  await using server = await startServer(directory.path);
  const request = (query: string) =>
    `GET /v1/kv${query} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAccept: ${NDJSON}\r\n` +
    "Connection: close\r\n\r\n";
  const whole = await exchangeUntilClosed(server.port, request(""));
  assert.match(whole, /\r\ntransfer-encoding: chunked\r\n/i);
  assert.match(whole, /"key":"599".*\r\n0\r\n\r\n$/s);
  for (let i = 0; i < 20; i++) {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(request("?values=1"));
    await new Promise((resolve) => socket.once("data", resolve));
    socket.destroy();
  }
  assert.equal((await fetch(`${server.url}/v1/kv/000`)).status, 200);
  const { exitCode, stderr } = await server.stop();
  assert.equal(exitCode, 0);
  assert.doesNotMatch(stderr, /error|cut off/);
});
