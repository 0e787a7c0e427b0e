/** Requests that another thread receives: what it answers itself, and what it passes on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvReader, KvStore } from "../../lib/mod.ts";
import { AccessControl, ChangeFeeds, createApp, Telemetry } from "../../lib/server/http/mod.ts";
import {
  hostRequests,
  type HttpThreadPort,
  ReadingFront,
  RequestCount,
} from "../../lib/server/http/threads/mod.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { linkedPorts } from "../tcp/reading_service.ts";
import { TestClock } from "../support/test_clock.ts";
import { parseExposition, valueOf } from "./prometheus_text.ts";

const FULL = "0123456789abcdef0123456789abcdef";
const READ = "fedcba9876543210fedcba9876543210";
const COUNTED = /^cairn_(?:http|operations)_/;

/** An application, and a front on what might be another thread. */
class Threads implements AsyncDisposable {
  readonly store: KvStore;
  readonly reader: KvReader;
  readonly telemetry = new Telemetry();
  readonly there = new Telemetry();
  readonly feeds = new ChangeFeeds();
  readonly front: ReadingFront;
  /** Requests that were passed on. */
  readonly passedOn: string[] = [];

  private constructor(store: KvStore, fileSystem: MemoryFileSystem, access?: AccessControl) {
    this.store = store;
    const { telemetry, there, feeds } = this;
    const app = createApp(store, {
      telemetry,
      changeFeeds: feeds,
      ...(access !== undefined && { access }),
    });
    const [near, far] = linkedPorts() as [HttpThreadPort, HttpThreadPort];
    hostRequests(far, (request, connection) => {
      this.passedOn.push(`${request.method} ${request.url}`);
      return app.fetch(request, connection as object);
    }, () => 1);
    telemetry.metrics.include(() => Promise.resolve([there.metrics.figures(COUNTED)]));
    this.reader = KvReader.attach(store.share(), { fileSystem });
    const count = new RequestCount(RequestCount.memoryFor(2), 1);
    const { reader } = this;
    this.front = new ReadingFront({
      rules: {},
      slowRequestMs: 1000,
      telemetry: there,
      port: near,
      reader,
      count,
      access,
    });
  }

  static async start(access?: AccessControl): Promise<Threads> {
    const fileSystem = new MemoryFileSystem();
    return new Threads(await KvStore.open("/store", { fileSystem }), fileSystem, access);
  }

  async ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const request = new Request(`http://localhost:8620${path}`, { method, ...init });
    return await this.front.fetch(request, { pendingRequests: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.feeds.stop();
    this.reader.detach();
    await this.store.close();
  }
}

async function outline(response: Response) {
  const names = ["etag", "content-length", "content-type", "content-range", "allow"];
  const headers = names.map((name) => response.headers.get(name));
  return { status: response.status, headers, text: await response.text() };
}

test("threads: the value of a key is read where the request is; all else is passed on", async () => {
  await using threads = await Threads.start();
  const put = await threads.ask("PUT", "/v1/kv/a", { body: "hello" });
  assert.deepEqual([put.status, put.headers.get("etag")], [201, '"1"']);
  assert.deepEqual(threads.passedOn.splice(0), ["PUT http://localhost:8620/v1/kv/a"]);
  const got = await outline(await threads.ask("GET", "/v1/kv/a"));
  assert.deepEqual([got.status, got.headers[0], got.text], [200, '"1"', "hello"]);
  assert.equal((await threads.ask("HEAD", "/v1/kv/a")).headers.get("content-length"), "5");
  const range = await threads.ask("GET", "/v1/kv/a", { headers: { range: "bytes=1-2" } });
  assert.deepEqual([range.status, await range.text()], [206, "el"]);
  const fresh = { headers: { "if-none-match": '"1"' } };
  assert.equal((await threads.ask("GET", "/v1/kv/a", fresh)).status, 304);
  assert.equal((await threads.ask("GET", "/v1/kv/b")).status, 404);
  assert.equal((await threads.ask("GET", "/healthz")).status, 200);
  assert.deepEqual(threads.passedOn, []);
});

test("threads: long values come whole, in both directions", async () => {
  await using threads = await Threads.start();
  const body = new Uint8Array(3 << 20).map((_, index) => index * 7 + (index >> 8));
  const put = await threads.ask("PUT", "/v1/kv/long", {
    body,
    headers: { "content-length": String(body.length) },
  });
  assert.equal(put.status, 201);
  assert.deepEqual(new Uint8Array(await threads.store.get("long") ?? []), body);
  const got = await threads.ask("GET", "/v1/kv/long");
  assert.deepEqual(new Uint8Array(await got.arrayBuffer()), body);
  assert.deepEqual(threads.passedOn, ["PUT http://localhost:8620/v1/kv/long"]);
});

test("threads: a body that breaks off is refused, and nothing is stored", async () => {
  await using threads = await Threads.start();
  for (const length of [100, 1 << 20, undefined]) {
    let pulls = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(new Uint8Array(10));
        else controller.error(new Error("gone"));
      },
    });
    const headers: HeadersInit = length === undefined ? {} : { "content-length": String(length) };
    const init = { body, headers, duplex: "half" } as RequestInit;
    assert.equal((await threads.ask("PUT", "/v1/kv/broken", init)).status, 400);
  }
  assert.equal(threads.store.has("broken"), false);
});

test("threads: a stream comes piece by piece, and ends when its reader goes", async () => {
  await using threads = await Threads.start();
  const feed = await threads.ask("GET", "/v1/changes?since=0");
  const reader = feed.body!.getReader();
  await threads.store.set("a", "1");
  let text = "";
  while (!text.includes("event: set")) {
    text += new TextDecoder().decode((await reader.read()).value);
  }
  assert.equal(threads.feeds.open, 1);
  assert.equal(threads.front.streams, 1);
  await reader.cancel();
  while (threads.feeds.open > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(threads.front.streams, 0);
  const listing = await threads.ask("GET", "/v1/kv", {
    headers: { accept: "application/x-ndjson" },
  });
  assert.match(await listing.text(), /^\{"key":"a"/);
});

test("threads: what makes a stream may use its bytes again", async () => {
  await using threads = await Threads.start();
  await threads.store.set("a", "1");
  const backups = await Promise.all(
    Array.from({ length: 3 }, () => threads.ask("GET", "/v1/backup")),
  );
  const lengths = await Promise.all(
    backups.map(async (each) => (await each.arrayBuffer()).byteLength),
  );
  const { byteLength } = await (await threads.ask("GET", "/v1/backup")).arrayBuffer();
  assert.deepEqual(lengths, [byteLength, byteLength, byteLength]);
});

test("threads: paths and methods arrive as they were sent", async () => {
  await using threads = await Threads.start();
  const request = new Request("http://localhost:8620/v1/kv/x", { method: "PUT", body: "1" });
  Object.defineProperty(request, "url", { value: "http://localhost:8620/v1/kv/a/../%2e/b" });
  const response = await threads.front.fetch(request, { pendingRequests: 1 });
  assert.equal(response.status, 201);
  assert.equal(threads.store.has("a/.././b"), true);
  const { status, headers } = await outline(await threads.ask("PATCH", "/v1/kv/a"));
  assert.deepEqual([status, headers[4]], [405, "GET, HEAD, PUT, DELETE, OPTIONS"]);
});

test("threads: tokens are asked for everywhere, and wrong ones counted in one place", async () => {
  await using threads = await Threads.start(new AccessControl({ full: FULL, readOnly: READ }));
  await threads.store.set("a", "1");
  const ask = async (token: string | undefined, method = "GET", path = "/v1/kv/a") => {
    const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await threads.ask(method, path, { headers })).status;
  };
  assert.deepEqual([await ask(FULL), await ask(READ)], [200, 200]);
  assert.deepEqual([await ask(undefined, "GET", "/healthz")], [200]);
  assert.deepEqual(threads.passedOn, []);
  assert.deepEqual([await ask(undefined), await ask(READ, "DELETE")], [401, 403]);
  for (let count = 0; count < 10; count++) assert.equal(await ask("x".repeat(32)), 401);
  assert.equal(await ask("x".repeat(32)), 429);
  assert.equal(await ask(FULL), 200);
});

test("threads: one scrape shows what all of them have counted", async () => {
  await using threads = await Threads.start();
  await threads.ask("PUT", "/v1/kv/a", { body: "1" });
  for (let count = 0; count < 5; count++) await threads.ask("GET", "/v1/kv/a");
  await threads.ask("GET", "/v1/kv/b");
  for (const round of [1, 2]) {
    const text = await (await threads.ask("GET", "/metrics")).text();
    const families = parseExposition(text);
    const operations = (operation: string, result: string) =>
      valueOf(families, "cairn_operations_total", { operation, result });
    assert.deepEqual([operations("get", "ok"), operations("get", "not_found")], [5, 1], `${round}`);
    assert.equal(operations("set", "ok"), 1);
    const requests = (method: string, status: string) =>
      valueOf(families, "cairn_http_request_duration_seconds_count", {
        method,
        route: "/v1/kv/{key}",
        status,
      });
    assert.deepEqual([requests("GET", "2xx"), requests("GET", "4xx")], [5, 1]);
    assert.equal(requests("PUT", "2xx"), 1);
    assert.equal(valueOf(families, "cairn_keys"), 1);
  }
});

test("threads: requests under way add up, and are seen to become fewer", () => {
  const clock = new TestClock();
  const memory = RequestCount.memoryFor(2);
  const one = new RequestCount(memory, 0, clock);
  const other = new RequestCount(memory, 1, clock);
  let pending = 3;
  assert.equal(one.total(() => pending), 3);
  assert.equal(other.total(() => 4), 7);
  assert.equal(one.known, 7);
  pending = 0;
  assert.equal(other.known, 7);
  clock.advance(50);
  assert.equal(other.known, 4);
  one.tellApart(() => 2);
  assert.deepEqual([one.known, other.apart], [4, 2]);
});

test("threads: beyond the limit that all have together, requests are refused", async () => {
  await using threads = await Threads.start();
  const get = async (pendingRequests: number) => {
    const request = new Request("http://localhost:8620/v1/kv/a");
    return (await threads.front.fetch(request, { pendingRequests })).status;
  };
  assert.deepEqual([await get(1024), await get(1025), await get(2)], [404, 503, 404]);
});
