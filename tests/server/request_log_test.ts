import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogRecord } from "@logtape/logtape";
import { jsonLine, prettyLine } from "../../lib/cli/logging.ts";
import { KvError, type Logger } from "../../lib/mod.ts";
import { createApp } from "../../lib/server/http/mod.ts";
import { MemoryLogger } from "../support/test_store.ts";
import { ObservedService } from "./observed_service.ts";
import { stubStore } from "./stub_store.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;

test("request log: one line for each request, at debug, with what it came to", async () => {
  await using service = await ObservedService.start();
  const put = await service.ask("PUT", "/v1/kv/a?ttl=90", {
    body: "secret value",
    headers: { "content-length": "12", authorization: "Bearer secret" },
  });
  await service.ask("GET", "/v1/kv/none");
  await service.ask("GET", "/elsewhere");
  const { messages } = service.logger;
  assert.deepEqual(messages.map(({ level }) => level), ["debug", "debug", "debug"]);
  const { requestId, ...properties } = messages[0]!.properties;
  assert.equal(requestId, put.headers.get("x-request-id"));
  assert.deepEqual(properties, {
    method: "PUT",
    path: "/v1/kv/a",
    status: 201,
    durationMs: 0,
    route: "/v1/kv/{key}",
    requestBytes: 12,
  });
  assert.deepEqual(messages.map(({ properties }) => properties["status"]), [201, 404, 404]);
  assert.equal(messages[2]!.properties["route"], "unmatched");
  const ids = new Set(messages.map(({ properties }) => properties["requestId"]));
  assert.equal(ids.size, 3);
  assert.doesNotMatch(JSON.stringify(messages), /secret|ttl/);
});

test("request log: nothing at debug if nobody wants it", async () => {
  const logger = new MemoryLogger();
  const quiet: Logger = Object.assign(logger, {
    isEnabledFor: (level: string) => level !== "debug",
  });
  await using service = await ObservedService.start({ app: { logger: quiet } });
  const unlogged = await service.ask("GET", "/v1/kv/none");
  assert.deepEqual(logger.messages, []);
  // A new id would find nothing; one that the caller knows goes back to it even so.
  assert.equal(unlogged.headers.get("x-request-id"), null);
  const known = await service.ask("GET", "/v1/kv/none", { headers: { "x-request-id": "r-1" } });
  assert.equal(known.headers.get("x-request-id"), "r-1");
});

test("request log: a slow request is a warning", async () => {
  await using service = await ObservedService.start({ app: { slowRequestMs: 200 } });
  const after = async (ms: number) => {
    const pending = Promise.resolve(service.app.request("http://localhost/v1/kv/none"));
    service.clock.advance(ms);
    await (await pending).arrayBuffer();
    return service.logger.messages.at(-1)!;
  };
  assert.equal((await after(199)).level, "debug");
  const slow = await after(200);
  assert.equal(slow.level, "warn");
  assert.equal(slow.properties["durationMs"], 200);
  assert.match(slow.message, /was slow/);
});

test("request log: a failure of the service is an error, in the same one line", async () => {
  const logger = new MemoryLogger();
  const store = stubStore({
    getEntrySync: () => {
      throw new KvError("Io", "the disk is gone");
    },
    set: () => Promise.reject(new Error("a defect")),
    delete: () => Promise.reject(new KvError("NotFound", "no")),
  });
  const app = createApp(store, { logger });
  for (const method of ["GET", "PUT", "DELETE"]) {
    await app.request("http://localhost/v1/kv/a", { method });
  }
  assert.deepEqual(logger.messages.map(({ level }) => level), ["error", "error", "debug"]);
  assert.equal(
    (logger.messages[0]!.properties["error"] as Error).message,
    "the disk is gone",
  );
  assert.equal((logger.messages[1]!.properties["error"] as Error).message, "a defect");
});

test("request id: the caller's if it is harmless, else that of the trace, else a new one", async () => {
  await using service = await ObservedService.start();
  const idFor = async (headers: Record<string, string>) => {
    const response = await service.ask("GET", "/healthz", { headers });
    const id = response.headers.get("x-request-id");
    assert.equal(service.logger.messages.at(-1)!.properties["requestId"], id);
    return id!;
  };
  assert.equal(await idFor({ "x-request-id": "abc-1:2/3" }), "abc-1:2/3");
  assert.equal(await idFor({ "x-request-id": "a b", traceparent: TRACEPARENT }), TRACE_ID);
  const own = /^[0-9a-f]{16}-[0-9a-z]+$/;
  for (const id of ["a b", "x".repeat(65), "a\u00e9", "<script>", 'a"b', ""]) {
    assert.match(await idFor({ "x-request-id": id }), own, id);
  }
  const wrong = [
    `ff-${TRACE_ID}-b7ad6b7169203331-01`,
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE_ID}-${"0".repeat(16)}-01`,
    `${TRACEPARENT}-more`,
    TRACEPARENT.toUpperCase(),
    TRACEPARENT.slice(1),
  ];
  for (const traceparent of wrong) assert.match(await idFor({ traceparent }), own, traceparent);
  assert.notEqual(await idFor({}), await idFor({}));
});

test("request log: what a client sends neither ends a line nor begins another", async () => {
  const logger = new MemoryLogger();
  const store = stubStore({
    getEntrySync: () => {
      throw new Error("bad\r\n\x1b[31m\x9b\u2028\u202e value");
    },
  });
  const app = createApp(store, { logger });
  // Some servers hand on the path as it arrived.
  const hostile = "/v1/kv/a\r\nb\x1b[2J\x9b\u2028\u202e" + "k".repeat(500);
  const request = new Request("http://localhost/", { headers: { host: "localhost" } });
  Object.defineProperty(request, "url", { value: `http://localhost${hostile}` });
  await app.fetch(request);
  assert.equal(logger.messages.length, 1);
  const { message, properties } = logger.messages[0]!;
  const path = properties["path"] as string;
  assert.match(path, /^\/v1\/kv\/a%0D%0Ab%1B\[2J%9B%2028%202Ek+\.\.\.$/);
  assert(path.length < 150);
  const record: LogRecord = {
    category: ["cairn", "http"],
    level: "error",
    message: [message, properties["error"], "\r\nforged"],
    rawMessage: message,
    timestamp: 0,
    properties,
  };
  for (const line of [prettyLine(record, false), jsonLine(record)]) {
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/);
  }
  assert(JSON.parse(jsonLine(record)).error.startsWith("bad\r\n\x1b[31m"));
});
