import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/mod.ts";
import { createApp, Telemetry } from "../../lib/server/http/mod.ts";
import { failsWith } from "../support/kv_error.ts";
import { ObservedService } from "./observed_service.ts";
import { stubStore } from "./stub_store.ts";
import { parseExposition, valueOf } from "./prometheus_text.ts";

const KEY_ROUTE = "/v1/kv/{key}";

test("metrics: a scrape is in the format of Prometheus, or by Accept of OpenMetrics", async () => {
  await using service = await ObservedService.start();
  await service.ask("PUT", "/v1/kv/a", { body: "1" });
  const plain = await service.ask("GET", "/metrics");
  assert.equal(plain.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(plain.headers.get("cache-control"), "no-store");
  parseExposition(await plain.text());

  const accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
  const open = await service.ask("GET", "/metrics", { headers: { accept } });
  assert.match(
    open.headers.get("content-type")!,
    /^application\/openmetrics-text; version=1\.0\.0/,
  );
  const text = await open.text();
  assert.match(text, /^# TYPE cairn_operations counter$/m);
  assert.match(text, /^cairn_operations_total\{operation="set",result="ok"\} 1$/m);
  assert(text.endsWith("\n# EOF\n"));
  // Asking for one format leaves the other as it was.
  parseExposition(await (await service.ask("GET", "/metrics")).text());

  const head = await service.ask("HEAD", "/metrics");
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  assert.equal((await service.ask("POST", "/metrics")).status, 405);
});

test("metrics: operations by kind and result, also those that were refused or failed", async () => {
  await using service = await ObservedService.start();
  for (const key of ["a", "b", "a"]) await service.ask("PUT", `/v1/kv/${key}`, { body: "x" });
  await service.ask("PUT", "/v1/kv/b", { body: "x", headers: { "if-match": '"99"' } });
  await service.ask("GET", "/v1/kv/a");
  await service.ask("HEAD", "/v1/kv/b");
  await service.ask("GET", "/v1/kv/none");
  await service.ask("DELETE", "/v1/kv/a");
  await service.ask("DELETE", "/v1/kv/a");
  await service.ask("GET", `/v1/kv/${"k".repeat(70_000)}`);
  const store = service.telemetry.observe(service.store);
  await store.batch([{ op: "set", key: "c", value: "1" }, { op: "del", key: "b" }]);
  await failsWith(
    "ConditionFailed",
    /nothing was written/,
    () => store.batch([], { checks: [{ key: "c", version: null }] }),
  );
  for await (const _entry of store.scan()) break;
  for await (const entry of store.scan()) assert.equal(entry.key, "c");
  assert.throws(() => store.scan({ limit: -1 }));
  await store.compact();
  store.setSync("d", "1");
  assert.equal(store.getSync("none"), undefined);
  assert.throws(() => store.deleteSync("none"));
  assert.equal(store.getEntrySync("c", { valueBytesMax: 0 })?.size, 1);

  const families = await service.scrape();
  const count = (operation: string) =>
    Object.fromEntries(
      ["ok", "not_found", "condition_failed", "refused", "error"]
        .map((result) => [
          result,
          valueOf(families, "cairn_operations_total", { operation, result }),
        ]).filter(([, value]) => value !== 0),
    );
  // HEAD, and who does without a long value, take a look into the index and no more.
  assert.deepEqual(count("get"), { ok: 1, not_found: 2, refused: 1 });
  assert.deepEqual(count("set"), { ok: 4, condition_failed: 1 });
  assert.deepEqual(count("delete"), { ok: 1, not_found: 2 });
  assert.deepEqual(count("batch"), { ok: 1, condition_failed: 1 });
  assert.deepEqual(count("list"), { ok: 2, refused: 1 });
  assert.deepEqual(count("compact"), { ok: 1 });
  assert.deepEqual(count("changes"), {});
});

test("metrics: failures of the disk count as errors, and writes as failed", async () => {
  const telemetry = new Telemetry();
  const failing = stubStore({
    set: () => Promise.reject(new KvError("Io", "the disk is gone")),
    getEntrySync: () => {
      throw new Error("a defect");
    },
    delete: () => {
      throw new KvError("NoSpace", "full");
    },
  });
  const app = createApp(failing, { telemetry, logger: silent });
  const ask = (method: string) => app.request("http://localhost/v1/kv/a", { method });
  assert.equal((await ask("PUT")).status, 503);
  assert.equal((await ask("GET")).status, 500);
  assert.equal((await ask("DELETE")).status, 507);
  telemetry.observer.onWriteFailure!(new Error("the disk is gone"));
  const response = await app.request("http://localhost/metrics");
  const families = parseExposition(await response.text());
  for (const operation of ["get", "set", "delete"]) {
    assert.equal(
      valueOf(families, "cairn_operations_total", { operation, result: "error" }),
      1,
      operation,
    );
  }
  assert.equal(valueOf(families, "cairn_write_failures_total"), 1);
  for (const method of ["PUT", "GET", "DELETE"]) {
    const labels = { method, route: KEY_ROUTE, status: "5xx" };
    assert.equal(valueOf(families, "cairn_http_request_duration_seconds_count", labels), 1);
  }
  // The store tells no figures: rather none than wrong ones.
  assert.deepEqual(families.get("cairn_keys")?.samples, []);
});

test("metrics: durations by the clock, bytes in and out, requests in flight", async () => {
  await using service = await ObservedService.start();
  const { app, clock } = service;
  await service.ask("PUT", "/v1/kv/a", {
    body: "x".repeat(1000),
    headers: { "content-length": "1000" },
  });
  const chunks = [new Uint8Array(300), new Uint8Array(200)];
  const body = new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
  await service.ask("PUT", "/v1/kv/b", { body, duplex: "half" } as RequestInit);
  const before = await service.scrape();
  assert.equal(valueOf(before, "cairn_http_request_bytes_total"), 1500);

  const pending = Promise.resolve(app.request("http://localhost/v1/kv/a"));
  clock.advance(3000);
  assert.equal(valueOf(await service.scrape(), "cairn_http_requests_in_flight"), 1);
  await (await pending).arrayBuffer();
  await service.ask("HEAD", "/v1/kv/a");
  const problem = await service.ask("GET", "/v1/kv/none");
  const problemBytes = (await problem.arrayBuffer()).byteLength;
  const health = await service.ask("GET", "/healthz");
  assert.equal(health.headers.get("content-length"), "15");
  const after = await service.scrape();
  const labels = { method: "GET", route: KEY_ROUTE, status: "2xx" };
  const duration = "cairn_http_request_duration_seconds";
  assert.equal(valueOf(after, `${duration}_sum`, labels), 3);
  assert.equal(valueOf(after, `${duration}_bucket`, { ...labels, le: "2.5" }), 0);
  assert.equal(valueOf(after, `${duration}_bucket`, { ...labels, le: "5" }), 1);
  assert.equal(valueOf(after, "cairn_http_requests_in_flight"), 0);
  const sent = valueOf(after, "cairn_http_response_bytes_total") -
    valueOf(before, "cairn_http_response_bytes_total");
  assert.equal(sent, 1000 + problemBytes + 15);
});

test("metrics: streams are counted as they flow, and cancelled when the client goes", async () => {
  await using service = await ObservedService.start();
  const { app } = service;
  let cancelled = false;
  app.get("/stream", () => {
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(10)),
      cancel: () => void (cancelled = true),
    }, { highWaterMark: 0 });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  });
  const response = await app.request("http://localhost/stream");
  const reader = response.body!.getReader();
  for (let count = 0; count < 3; count++) assert.equal((await reader.read()).value!.length, 10);
  await reader.cancel();
  assert.equal(cancelled, true);
  const families = parseExposition(await (await app.request("http://localhost/metrics")).text());
  assert.equal(valueOf(families, "cairn_http_response_bytes_total"), 30);
});

test("metrics: figures of the engine", async () => {
  await using service = await ObservedService.start({ open: { compaction: { auto: false } } });
  const { store } = service;
  await Promise.all(["a", "b", "c"].map((key) => store.set(key, "x".repeat(100))));
  await store.set("a", "y");
  await store.compact();
  const families = await service.scrape();
  const stats = store.stats();
  const expected = {
    cairn_keys: 3,
    cairn_version: 4,
    cairn_durable_version: 4,
    cairn_log_bytes: stats.totalBytes,
    cairn_log_live_bytes: stats.aliveBytes,
    cairn_log_dead_bytes: stats.deadBytes,
    cairn_log_segments: stats.segments,
    cairn_index_bytes: stats.indexBytes,
    cairn_index_key_bytes: 3,
    cairn_writes_in_flight: 0,
    cairn_compaction_running: 0,
    cairn_backpressure_seconds_total: 0,
    cairn_open_truncated_bytes: 0,
    cairn_change_feeds_open: 0,
    cairn_group_commit_writes_count: 2,
    cairn_group_commit_writes_sum: 4,
    cairn_sync_duration_seconds_count: stats.syncs,
    cairn_compaction_duration_seconds_count: 1,
    cairn_compaction_reclaimed_bytes_total: stats.lastCompaction!.bytesReclaimed,
    cairn_write_failures_total: 0,
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(valueOf(families, name), value, name);
  }
  assert.equal(valueOf(families, "cairn_compactions_total", { result: "ok" }), 1);
  assert.equal(valueOf(families, "cairn_compactions_total", { result: "error" }), 0);
  assert(valueOf(families, "process_resident_memory_bytes") > 1 << 20);
  assert(valueOf(families, "process_cpu_seconds_total") > 0);
});

test("metrics: open change feeds, until they are left or end", async () => {
  const telemetry = new Telemetry();
  const source = {
    async *changes() {
      yield 1;
      yield 2;
    },
  };
  const store = telemetry.observe(source);
  const open = async () =>
    valueOf(
      parseExposition(await telemetry.metrics.render("prometheus")),
      "cairn_change_feeds_open",
    );
  const one = store.changes();
  const other = store.changes();
  assert.equal(await open(), 0);
  await one.next();
  await other.next();
  assert.equal(await open(), 2);
  await one.return(undefined);
  assert.equal(await open(), 1);
  for await (const _change of other);
  assert.equal(await open(), 0);
  await one.return(undefined);
  assert.equal(await open(), 0);
});

test("metrics: the store's other methods and properties are what they are", async () => {
  const telemetry = new Telemetry();
  const stream = new ReadableStream<Uint8Array>();
  class Source {
    #size = 7;
    readonly kind = "test";
    get size(): number {
      return this.#size;
    }
    has(key: string): boolean {
      return key === "a" && this.#size === 7;
    }
    backup(): ReadableStream<Uint8Array> {
      return stream;
    }
  }
  const store = telemetry.observe(new Source());
  assert.deepEqual([store.size, store.kind, store.has("a"), store.has("b")], [
    7,
    "test",
    true,
    false,
  ]);
  assert.equal(store.backup(), stream);
  const families = parseExposition(await telemetry.metrics.render("prometheus"));
  const labels = { operation: "backup", result: "ok" };
  assert.equal(valueOf(families, "cairn_operations_total", labels), 1);
});

test("metrics: backups count when they are whole or fail, and not when their reader leaves", async () => {
  await using service = await ObservedService.start();
  await service.store.set("a", "1");
  const count = async () => {
    const families = await service.scrape();
    const of = (result: string) =>
      valueOf(families, "cairn_operations_total", { operation: "backup", result });
    return { ok: of("ok"), error: of("error") };
  };
  assert.equal((await service.ask("HEAD", "/v1/backup")).status, 200);
  const left = await service.app.request("http://localhost/v1/backup");
  await left.body!.cancel();
  assert.deepEqual(await count(), { ok: 0, error: 0 });
  assert.equal((await service.ask("GET", "/v1/backup")).status, 200);
  assert.deepEqual(await count(), { ok: 1, error: 0 });

  const { store } = service;
  const take = store.snapshot.bind(store);
  store.snapshot = async () => {
    const snapshot = await take();
    const files = snapshot.files.bind(snapshot);
    snapshot.files = async function* () {
      for await (const file of files()) {
        // deno-lint-ignore require-yield
        const pieces = async function* (): AsyncGenerator<Uint8Array> {
          throw new KvError("CorruptLog", "damaged");
        };
        yield { name: file.name, length: file.length, pieces };
      }
    };
    return snapshot;
  };
  const broken = await service.app.request("http://localhost/v1/backup");
  await assert.rejects(broken.arrayBuffer(), /damaged/);
  assert.deepEqual(await count(), { ok: 1, error: 1 });
  store.snapshot = () => Promise.reject(new KvError("Closed", "closed"));
  assert.equal((await service.ask("GET", "/v1/backup")).status, 503);
  assert.deepEqual(await count(), { ok: 1, error: 2 });
});

test("metrics: neither keys nor what clients make up becomes a label", async () => {
  await using service = await ObservedService.start({
    open: { durability: { bytes: 1 << 20, millis: 3_600_000 } },
  });
  const seriesCount = async () =>
    [...(await service.scrape()).values()].reduce((sum, { samples }) => sum + samples.length, 0);
  const rounds = async (from: number, to: number) => {
    for (let number = from; number < to; number++) {
      await service.app.request(`http://localhost/v1/kv/key-${number}`, {
        method: "PUT",
        body: "x",
      });
      if (number % 100 !== 0) continue;
      const paths = [
        `/other/${number}`,
        `/v1/${number}`,
        `/healthz/${number}`,
        `/metrics${number}`,
      ];
      for (const path of paths) await service.ask("GET", path);
      await service.ask(`M${number}`, `/v1/kv/${number}`);
      await service.ask(`M${number}`, `/elsewhere/${number}`);
      // Bun's Request takes any method that it does not know for GET, and its server closes the
      // connection: there, this is what is neither.
      await service.ask("PROPFIND", `/v1/kv/${number}`);
    }
  };
  await rounds(0, 200);
  await seriesCount();
  const few = await seriesCount();
  await rounds(200, 10_000);
  assert.equal(await seriesCount(), few);
  const text = await (await service.ask("GET", "/metrics")).text();
  assert.doesNotMatch(text, /key-\d|M\d|elsewhere/);
  assert.match(text, /route="unmatched"/);
  assert.match(text, /method="other"/);
});

test("metrics: two applications in one process share nothing", async () => {
  await using one = await ObservedService.start();
  await using other = await ObservedService.start();
  await one.ask("PUT", "/v1/kv/a", { body: "x" });
  const ok = { operation: "set", result: "ok" };
  assert.equal(valueOf(await one.scrape(), "cairn_operations_total", ok), 1);
  assert.equal(valueOf(await other.scrape(), "cairn_operations_total", ok), 0);
  assert.equal(valueOf(await other.scrape(), "cairn_keys"), 0);
  assert.throws(() => createApp(one.store, { telemetry: one.telemetry }), /metric .* already/);
  assert.throws(() => one.telemetry.observe(other.store), /belongs to one store/);
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };
