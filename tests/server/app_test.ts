import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { KvError } from "../../lib/mod.ts";
import { createApp, type StoreApi } from "../../lib/server/http/mod.ts";
import { TestClock } from "../support/test_clock.ts";
import { assertProblem, Service } from "./service.ts";

test("PUT, GET, HEAD, DELETE: a value goes in and out as raw bytes", async () => {
  await using service = await Service.start();
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
  const created = await service.put("blob", bytes);
  assert.deepEqual([created.status, created.headers.get("etag")], [201, '"1"']);
  const replaced = await service.put("blob", bytes);
  assert.deepEqual([replaced.status, replaced.headers.get("etag")], [204, '"2"']);

  const got = await service.ask("GET", "/v1/kv/blob");
  assert.equal(got.status, 200);
  assert.equal(got.headers.get("etag"), '"2"');
  assert.equal(got.headers.get("content-type"), "application/octet-stream");
  assert.equal(got.headers.get("x-content-type-options"), "nosniff");
  assert.deepEqual(new Uint8Array(await got.arrayBuffer()), bytes);

  const head = await service.ask("HEAD", "/v1/kv/blob");
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "1000"]);
  assert.equal((await head.arrayBuffer()).byteLength, 0);

  const deleted = await service.ask("DELETE", "/v1/kv/blob");
  assert.deepEqual([deleted.status, deleted.headers.get("cairn-version")], [204, "3"]);
  // There is no value any more that it could be the tag of.
  assert.equal(deleted.headers.get("etag"), null);
  assert.equal(service.store.has("blob"), false);
});

test("a missing key: 404 on GET, HEAD and DELETE", async () => {
  await using service = await Service.start();
  await assertProblem(await service.ask("GET", "/v1/kv/none"), 404, "NotFound");
  await assertProblem(await service.ask("DELETE", "/v1/kv/none"), 404, "NotFound");
  assert.equal((await service.ask("HEAD", "/v1/kv/none")).status, 404);
});

test("PUT without a body stores an empty value", async () => {
  await using service = await Service.start();
  assert.equal((await service.ask("PUT", "/v1/kv/empty")).status, 201);
  const got = await service.ask("GET", "/v1/kv/empty");
  assert.deepEqual([got.status, await got.text()], [200, ""]);
});

test("keys: percent-decoded exactly once, slashes and all", async () => {
  await using service = await Service.start();
  const paths: [path: string, key: string][] = [
    ["a/b/c", "a/b/c"],
    ["a%2Fb%2Fd", "a/b/d"],
    ["a//b/", "a//b/"],
    ["100%25", "100%"],
    ["%252F", "%2F"],
    ["a%2F..%2Fb", "a/../b"],
    ["%3Fq%23f", "?q#f"],
    ["a+b", "a+b"],
    ["%20", " "],
    ["%00", "\0"],
    ["%C3%A9%F0%9F%8F%94", "é🏔"],
    ["%EF%BB%BFbom", "\ufeffbom"],
  ];
  for (const [path, key] of paths) {
    assert.equal((await service.put(path, key)).status, 201, path);
    const got = await service.ask("GET", `/v1/kv/${path}`);
    const value = Buffer.from(key);
    assert.deepEqual(Buffer.from(await service.store.get(key) ?? []), value, path);
    assert.deepEqual(Buffer.from(await got.arrayBuffer()), value, path);
  }
  assert.equal(service.store.size, paths.length);
});

test("keys: empty, badly encoded, not UTF-8, or too long is 400, and nothing is stored", async () => {
  await using service = await Service.start();
  const paths = ["", "%", "%2", "%zz", "%FF", "%C3", "%ED%A0%80", "%C0%AF", "k".repeat(65_537)];
  for (const path of paths) {
    await assertProblem(await service.put(path, "x"), 400, "InvalidKey");
    await assertProblem(await service.ask("GET", `/v1/kv/${path}`), 400, "InvalidKey");
  }
  assert.equal(service.store.size, 0);
});

test("ttl: seconds; Expires says until when; then the key is gone", async () => {
  await using service = await Service.start();
  assert.equal((await service.ask("PUT", "/v1/kv/a?ttl=3600", { body: "x" })).status, 201);
  const expires = Date.parse((await service.ask("GET", "/v1/kv/a")).headers.get("expires") ?? "");
  assert(Math.abs(expires - Date.now() - 3_600_000) < 10_000);
  await service.ask("PUT", "/v1/kv/b?ttl=0.05", { body: "x" });
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.equal((await service.ask("GET", "/v1/kv/b")).status, 404);
  assert.equal((await service.put("b", "new")).status, 201);
  assert.equal((await service.ask("GET", "/v1/kv/b")).headers.get("expires"), null);
});

test("Expires in whole seconds that are not too late, and exactly in a header of ours", async () => {
  const clock = new TestClock({ nowMs: Date.UTC(2030, 0, 1) });
  await using service = await Service.start({}, { clock });
  const expiry = async (method: string, key: string) => {
    const { headers } = await service.ask(method, `/v1/kv/${key}`);
    return [headers.get("expires"), headers.get("cairn-expires-at")];
  };
  await service.ask("PUT", "/v1/kv/a?ttl=1.999", { body: "x" });
  const expected = ["Tue, 01 Jan 2030 00:00:01 GMT", String(Date.UTC(2030, 0, 1) + 1999)];
  assert.deepEqual(await expiry("GET", "a"), expected);
  assert.deepEqual(await expiry("HEAD", "a"), expected);
  clock.advance(1998);
  assert.equal((await service.ask("GET", "/v1/kv/a")).status, 200);
  clock.advance(1);
  assert.equal((await service.ask("GET", "/v1/kv/a")).status, 404);
  await service.ask("PUT", "/v1/kv/b?ttl=999999999999", { body: "x" });
  assert.equal((await expiry("GET", "b"))[0], "Fri, 31 Dec 9999 23:59:59 GMT");
});

test("HEAD reads no value", async () => {
  await using service = await Service.start();
  await service.put("a", "12345");
  const reads = () => assert.fail("a value is read");
  Object.assign(service.store, { getEntry: reads, getEntrySync: reads });
  const head = await service.ask("HEAD", "/v1/kv/a");
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "5"]);
  const known = { headers: { "if-none-match": '"1"' } };
  assert.equal((await service.ask("HEAD", "/v1/kv/a", known)).status, 304);
  assert.equal((await service.ask("GET", "/v1/kv/a", known)).status, 304);
  const other = { headers: { "if-match": '"2"' } };
  assert.equal((await service.ask("HEAD", "/v1/kv/a", other)).status, 412);
});

test("a key whose delete was in flight is new: 201", async () => {
  await using service = await Service.start();
  await service.put("a", "1");
  const responses = await Promise.all([
    service.ask("DELETE", "/v1/kv/a"),
    service.put("a", "2"),
    service.put("a", "3"),
  ]);
  assert.deepEqual(responses.map(({ status }) => status), [204, 201, 204]);
});

test("query parameters: a bad ttl, an unknown name, a repetition is 400", async () => {
  await using service = await Service.start();
  const values = [
    "0",
    "0.000",
    "-1",
    "",
    "1e3",
    "90s",
    "0.0001",
    "1000000000000",
    "%31%FF",
    "1&ttl=2",
  ];
  for (const query of [...values.map((value) => `ttl=${value}`), "ttl"]) {
    const response = await service.ask("PUT", `/v1/kv/a?${query}`, { body: "x" });
    await assertProblem(response, 400, "InvalidArgument", "ttl");
  }
  for (const name of ["tll", "__proto__", "toString"]) {
    const response = await service.ask("PUT", `/v1/kv/a?${name}=5`, { body: "x" });
    await assertProblem(response, 400, "InvalidArgument", name);
  }
  const part = await service.put("a", "x", { "content-range": "bytes 0-0/2" });
  await assertProblem(part, 400, "InvalidArgument", "Content-Range");
  await assertProblem(await service.ask("GET", "/v1/kv/a?ttl=5"), 400, "InvalidArgument");
  assert.equal(service.store.size, 0);
});

test("bodies: more than the maximum is 413, declared or not", async () => {
  await using service = await Service.start({ valueBytesMax: 1000 });
  assert.equal((await service.put("a", "x".repeat(1000))).status, 201);
  await assertProblem(await service.put("b", "x".repeat(1001)), 413, "ValueTooLarge");
  const declared = await service.put("b", "x", { "content-length": "1001" });
  await assertProblem(declared, 413, "ValueTooLarge");
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(100));
    },
  });
  await assertProblem(await service.put("b", endless), 413, "ValueTooLarge");
  assert(pulled < 20, `${pulled} chunks were read`);
  assert.equal(service.store.has("b"), false);
});

test("bodies: one that ends early or fails is 400, and nothing is stored", async () => {
  await using service = await Service.start();
  const short = await service.put("a", "abc", { "content-length": "10" });
  await assertProblem(short, 400, "BadRequest");
  const broken = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array(3));
    },
    pull(controller) {
      controller.error(new Error("connection lost"));
    },
  });
  await assertProblem(await service.put("a", broken), 400, "BadRequest");
  assert.equal(service.store.has("a"), false);
});

test("unknown routes are 404, other methods 405 with Allow", async () => {
  await using service = await Service.start();
  for (
    const path of [
      "/",
      "/v1",
      "/v2/kv/a",
      "/V1/KV/a",
      "/v1/k%76/a",
      "/healthz/",
      "/health%7A",
    ]
  ) {
    await assertProblem(await service.ask("GET", path), 404, "NoSuchRoute");
  }
  for (const method of ["POST", "PATCH"]) {
    const response = await service.ask(method, "/v1/kv/a");
    assert.equal(response.headers.get("allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
    await assertProblem(response, 405, "MethodNotAllowed");
  }
  const allowed = {
    "/v1/kv": "GET, HEAD, OPTIONS",
    "/v1/batch": "POST, OPTIONS",
    "/v1/flush": "POST, OPTIONS",
    "/v1/compact": "POST, OPTIONS",
    "/v1/stats": "GET, HEAD, OPTIONS",
    "/healthz": "GET, HEAD, OPTIONS",
    "/readyz": "GET, HEAD, OPTIONS",
    "/openapi.json": "GET, HEAD, OPTIONS",
    "/docs": "GET, HEAD, OPTIONS",
  };
  for (const [path, allow] of Object.entries(allowed)) {
    const refused = await service.ask("PUT", path);
    assert.equal(refused.headers.get("allow"), allow, path);
    await assertProblem(refused, 405, "MethodNotAllowed");
    const options = await service.ask("OPTIONS", path);
    assert.deepEqual([options.status, options.headers.get("allow")], [204, allow], path);
  }
});

test("HEAD wherever GET is", async () => {
  await using service = await Service.start();
  await service.put("a", "x");
  for (const path of ["/v1/kv", "/v1/stats", "/readyz", "/openapi.json", "/docs"]) {
    const [get, head] = [await service.ask("GET", path), await service.ask("HEAD", path)];
    assert.deepEqual([head.status, await head.text()], [200, ""], path);
    assert.equal(head.headers.get("content-type"), get.headers.get("content-type"));
  }
});

test("healthz: 200", async () => {
  await using service = await Service.start();
  const response = await service.ask("GET", "/healthz");
  assert.deepEqual([response.status, await response.json()], [200, { status: "ok" }]);
  assert.equal((await service.ask("HEAD", "/healthz")).status, 200);
});

test("errors of the store: each with its status and code; unexpected ones tell nothing", async () => {
  const statuses = {
    Io: 503,
    Closed: 503,
    ReadOnly: 503,
    Locked: 503,
    NoSpace: 507,
    CorruptLog: 500,
    Unsupported: 501,
  } as const;
  const logged: unknown[] = [];
  const log = (_message: string, properties: unknown) => logged.push(properties);
  const logger = { debug: log, info: log, warn: log, error: log };
  const failing = (error: Error): StoreApi => ({
    failure: undefined,
    getEntry: () => Promise.reject(error),
    getEntrySync: () => {
      throw error;
    },
    stat: () => {
      throw error;
    },
    scan: () => {
      throw error;
    },
    changes: () => {
      throw error;
    },
    snapshot: () => Promise.reject(error),
    set: () => Promise.reject(error),
    delete: () => Promise.reject(error),
    batch: () => Promise.reject(error),
    flush: () => Promise.reject(error),
    compact: () => Promise.reject(error),
    stats: () => {
      throw error;
    },
  });
  const requests: [method: string, path: string][] = [
    ["GET", "/v1/kv/a"],
    ["PUT", "/v1/kv/a"],
    ["DELETE", "/v1/kv/a"],
    ["GET", "/v1/kv"],
    ["GET", "/v1/changes"],
    ["GET", "/v1/changes?since=1&wait=1"],
    ["GET", "/v1/backup"],
    ["POST", "/v1/flush"],
    ["POST", "/v1/compact"],
    ["GET", "/v1/stats"],
  ];
  for (const [code, status] of Object.entries(statuses)) {
    const app = createApp(failing(new KvError(code as keyof typeof statuses, "why")), { logger });
    for (const [method, path] of requests) {
      const response = await app.request(path, { method });
      assert.equal(response.headers.get("retry-after"), status === 503 ? "5" : null);
      assert.equal(await assertProblem(response, status, code), "why");
    }
  }
  assert.equal(logged.length, requests.length * Object.keys(statuses).length);
  const app = createApp(failing(new TypeError("secret at /home/me")), { logger });
  const detail = await assertProblem(await app.request("/v1/kv/a"), 500, "Internal");
  assert(!detail.includes("secret"));
});

test("Bun's own server is told to be patient with feeds, which may be quiet for longer", async () => {
  await using service = await Service.start();
  const app = createApp(service.store);
  const patience: [path: string, seconds: number][] = [];
  const server = {
    timeout(request: Request, seconds: number): void {
      patience.push([new URL(request.url).pathname, seconds]);
    },
  };
  for (const path of ["/v1/kv/a", "/v1/changes?wait=0", "/v1/stats", "/v1/changes"]) {
    const response = await app.fetch(new Request(`http://localhost${path}`), server);
    await response.body?.cancel();
  }
  assert.deepEqual(patience, [["/v1/changes", 60], ["/v1/changes", 60]]);
});
