/** flush, compact, stats, healthz, readyz. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { MemoryFileSystem } from "../../lib/mod.ts";
import { statsSchema } from "../../lib/server/http/routes/maintenance.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { pattern } from "../support/test_store.ts";
import { assertProblem, Service } from "./service.ts";

test("flush: 204, and everything is durable", async () => {
  await using service = await Service.start({}, {
    durability: { bytes: 1 << 20, millis: 3_600_000 },
  });
  await service.put("a", "x");
  assert.equal(service.store.stats().durableVersion, 0);
  assert.equal((await service.ask("POST", "/v1/flush")).status, 204);
  assert.equal(service.store.stats().durableVersion, 1);
});

test("compact: 200 with what it did, also to several at once", async () => {
  await using service = await Service.start({}, { compaction: { auto: false } });
  for (let i = 0; i < 20; i++) await service.store.set(`${i % 2}`, pattern(1000, i));
  const responses = await Promise.all([1, 2, 3].map(() => service.ask("POST", "/v1/compact")));
  assert.deepEqual(responses.map(({ status }) => status), [200, 200, 200]);
  const [first] = await Promise.all(responses.map((response) => response.json()));
  assert.deepEqual([first.segmentsBefore, first.recordsMoved], [1, 2]);
  assert(first.bytesReclaimed > 15_000);
  const { lastCompaction } = await (await service.ask("GET", "/v1/stats")).json();
  assert.equal(typeof lastCompaction.durationMs, "number");
});

test("stats: those of the store, shaped as documented", async () => {
  await using service = await Service.start();
  await service.put("a", "x");
  await service.ask("POST", "/v1/compact");
  const stats = await (await service.ask("GET", "/v1/stats")).json();
  assert.deepEqual(stats, service.store.stats());
  assert.deepEqual(v.safeParse(statsSchema, stats).issues, undefined);
});

test("flush, compact, stats: a query parameter is 400", async () => {
  await using service = await Service.start();
  for (
    const [method, path] of [["POST", "flush"], ["POST", "compact"], ["GET", "stats"]] as const
  ) {
    const response = await service.ask(method, `/v1/${path}?all=1`);
    await assertProblem(response, 400, "InvalidArgument", "all");
  }
});

test("readyz: 503 after a failed write and when the store is closed; healthz stays 200", async () => {
  const fileSystem = new FaultyFileSystem(new MemoryFileSystem());
  await using service = await Service.start({}, { fileSystem });
  const ready = await service.ask("GET", "/readyz");
  assert.deepEqual([ready.status, await ready.json()], [200, { status: "ready" }]);
  await service.put("a", "x");
  for (const [errno, code] of [["ENOSPC", "NoSpace"]] as const) {
    fileSystem.fail = ({ what }) => what === "write" ? errno : undefined;
    await assertProblem(await service.put("a", "y"), 507, code);
    fileSystem.fail = () => undefined;
    const response = await service.ask("GET", "/readyz");
    assert.equal(response.headers.get("retry-after"), "5");
    assert.match(await assertProblem(response, 503, code), /takes no more writes/);
  }
  assert.equal(await (await service.ask("GET", "/v1/kv/a")).text(), "x");
  await service.store.close();
  await assertProblem(await service.ask("GET", "/readyz"), 503, "Closed");
  assert.equal((await service.ask("GET", "/healthz")).status, 200);
});
