import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind } from "@opentelemetry/api";
import { KvError } from "../../lib/mod.ts";
import { createApp } from "../../lib/server/http/mod.ts";
import { Sdk } from "../support/tracing_sdk.ts";
import { ObservedService } from "./observed_service.ts";
import { stubStore } from "./stub_store.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";

test("tracing: a span for the request, and below it those of the store's operations", async () => {
  using sdk = new Sdk();
  await using service = await ObservedService.start();
  const traceparent = `00-${TRACE_ID}-${PARENT_ID}-01`;
  await service.ask("PUT", "/v1/kv/user%2Fada", { body: "1", headers: { traceparent } });
  const [operation, request] = sdk.spans();
  assert.equal(sdk.spans().length, 2);
  assert.equal(request!.name, "PUT /v1/kv/{key}");
  assert.equal(request!.kind, SpanKind.SERVER);
  assert.equal(request!.spanContext().traceId, TRACE_ID);
  assert.equal(request!.parentSpanContext?.spanId, PARENT_ID);
  assert.equal(request!.parentSpanContext?.isRemote, true);
  assert.deepEqual({ ...request!.attributes }, {
    "http.request.method": "PUT",
    "http.route": "/v1/kv/{key}",
    "url.path": "/v1/kv/user%2Fada",
    "url.scheme": "http",
    "server.address": "localhost",
    "server.port": 8620,
    "http.response.status_code": 201,
  });
  assert.equal(operation!.name, "cairn set");
  assert.equal(operation!.parentSpanContext?.spanId, request!.spanContext().spanId);
  assert.equal(operation!.spanContext().traceId, TRACE_ID);
  assert.deepEqual({ ...operation!.attributes }, {
    "db.system.name": "cairn",
    "db.operation.name": "set",
  });
  assert.equal(service.logger.messages.at(-1)!.properties["traceId"], TRACE_ID);
});

test("tracing: without a parent a trace of its own; a missing key is no error", async () => {
  using sdk = new Sdk();
  await using service = await ObservedService.start();
  await service.ask("GET", "/v1/kv/none");
  await service.ask("DELETE", "/v1/kv/none");
  const [, get, remove, request] = sdk.spans();
  assert.equal(get!.parentSpanContext, undefined);
  assert.equal(get!.status.code, 0);
  assert.equal(remove!.attributes["error.type"], "NotFound");
  assert.equal(remove!.status.code, 0);
  assert.equal(request!.attributes["http.response.status_code"], 404);
  // One that Bun's Request knows too, which takes all others for GET.
  await service.ask("PROPFIND", "/v1/kv/a");
  const odd = sdk.spans().at(-1)!;
  assert.equal(odd.name, "HTTP /v1/kv/{key}");
  assert.equal(odd.attributes["http.request.method"], "_OTHER");
});

test("tracing: failures of the service are marked as such", async () => {
  using sdk = new Sdk();
  const store = stubStore({
    getEntrySync: () => {
      throw new KvError("Io", "the disk is gone");
    },
  });
  const app = createApp(store, {
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  await app.request("http://localhost/v1/kv/a");
  const [operation, request] = sdk.spans();
  assert.deepEqual(
    [operation!.status.code, operation!.attributes["error.type"]],
    [2, "Io"],
  );
  assert.deepEqual([request!.status.code, request!.attributes["error.type"]], [2, "503"]);
});

test("tracing: iterations last until they are over", async () => {
  using sdk = new Sdk();
  await using service = await ObservedService.start();
  await service.store.set("a", "1");
  const store = service.telemetry.observe(service.store);
  const entries = store.scan();
  await entries.next();
  assert.equal(sdk.spans().length, 0);
  await entries.next();
  assert.deepEqual(sdk.spans().map(({ name }) => name), ["cairn list"]);
});

test("tracing: no spans without an SDK, and one that is registered later is noticed", async () => {
  await using service = await ObservedService.start();
  assert.equal(service.telemetry.tracing.enabled, false);
  await service.ask("GET", "/v1/kv/none");
  using sdk = new Sdk();
  assert.equal(sdk.spans().length, 0);
  for (let count = 0; count < 600; count++) await service.ask("GET", "/v1/kv/none");
  assert(sdk.spans().length > 0);
});
