import assert from "node:assert/strict";
import { test } from "node:test";
import { text } from "../support/test_store.ts";
import { assertProblem, Service } from "./service.ts";

test("batch: all operations at once, with values in both encodings and a time to live", async () => {
  await using service = await Service.start();
  await service.put("old", "x");
  const response = await service.postBatch({
    ops: [
      { op: "set", key: "text", value: "grüezi\u0000" },
      { op: "set", key: "bytes", value: "/wA=", encoding: "base64" },
      { op: "set", key: "empty", value: "", ttl: 90.5 },
      { op: "del", key: "old" },
      { op: "del", key: "never there" },
    ],
    checks: [{ key: "old", version: 1 }, { key: "text", version: null }],
  });
  assert.deepEqual([response.status, await response.json()], [200, { version: 6 }]);
  assert.equal(text(await service.store.get("text")), "grüezi\u0000");
  assert.deepEqual(await service.store.get("bytes"), Uint8Array.of(255, 0));
  const { version, size, expiresAt } = service.store.stat("empty")!;
  assert.deepEqual([version, size], [4, 0]);
  assert(Math.abs(expiresAt! - Date.now() - 90_500) < 10_000);
  assert.equal(service.store.has("old"), false);
});

test("batch: an expiry is exact to the millisecond, as listings tell it", async () => {
  await using service = await Service.start();
  const expiresAt = 4_102_444_800_123;
  await service.postBatch({ ops: [{ op: "set", key: "a", value: "x", expiresAt }] });
  assert.equal(service.store.stat("a")!.expiresAt, expiresAt);
});

test("batch: a check that does not hold is 409, and nothing is written", async () => {
  await using service = await Service.start();
  await service.put("a", "1");
  const ops = [{ op: "set", key: "b", value: "x" }, { op: "del", key: "a" }];
  for (
    const check of [{ key: "a", version: 2 }, { key: "a", version: null }, { key: "z", version: 1 }]
  ) {
    const checks = [{ key: "b", version: null }, check];
    await assertProblem(await service.postBatch({ ops, checks }), 409, "ConditionFailed");
  }
  assert.deepEqual([service.store.has("a"), service.store.has("b")], [true, false]);
  assert.equal(service.store.stats().version, 1);
});

test("batch: of nothing but checks", async () => {
  await using service = await Service.start();
  await service.put("a", "1");
  const good = await service.postBatch({ ops: [], checks: [{ key: "a", version: 1 }] });
  assert.deepEqual([good.status, await good.json()], [200, { version: 1 }]);
  const bad = await service.postBatch({ ops: [], checks: [{ key: "a", version: 2 }] });
  await assertProblem(bad, 409, "ConditionFailed");
});

const set = { op: "set", key: "a", value: "x" };

/** Bodies that are refused, by the field that is to blame. */
const BAD_BODIES: [field: string, body: unknown][] = [
  ["ops", []],
  ["body", null],
  ["body", "ops"],
  ["ops", {}],
  ["ops", { ops: {} }],
  ["ops", { ops: null }],
  ["op", { ops: [], op: [] }],
  ["ops[0]", { ops: [null] }],
  ["ops[1]", { ops: [set, "del b"] }],
  ["ops[0].op", { ops: [{ key: "a" }] }],
  ["ops[0].op", { ops: [{ op: "put", key: "a", value: "x" }] }],
  ["ops[1].key", { ops: [set, { op: "del" }] }],
  ["ops[0].key", { ops: [{ op: "del", key: "" }] }],
  ["ops[0].key", { ops: [{ op: "del", key: 7 }] }],
  ["ops[0].key", { ops: [{ op: "del", key: "\ud800" }] }],
  ["ops[0].key", { ops: [{ op: "del", key: "k".repeat(65_537) }] }],
  ["ops[0].key", { ops: [{ op: "del", key: "é".repeat(32_769) }] }],
  ["ops[1].key", { ops: [set, { op: "del", key: "a" }] }],
  ["ops[0].value", { ops: [{ op: "set", key: "a" }] }],
  ["ops[0].value", { ops: [{ op: "set", key: "a", value: 1 }] }],
  ["ops[0].value", { ops: [{ op: "set", key: "a", value: "\udc00" }] }],
  ["ops[0].value", { ops: [{ op: "del", key: "a", value: "x" }] }],
  ["ops[0].encoding", { ops: [{ ...set, encoding: "hex" }] }],
  ...["x", "/w", "/w=", "/w==\n", "_w==", "/x==", "é"].map((value): [string, unknown] => [
    "ops[0].value",
    { ops: [{ op: "set", key: "a", value, encoding: "base64" }] },
  ]),
  ...[0, -1, 0.0004, "90", null, 1e12].map((ttl): [string, unknown] => [
    "ops[0].ttl",
    { ops: [{ ...set, ttl }] },
  ]),
  ...[0, -1, 1.5, "1", null, 8_640_000_000_000_001].map((expiresAt): [string, unknown] => [
    "ops[0].expiresAt",
    { ops: [{ ...set, expiresAt }] },
  ]),
  ["ops[0].expiresAt", { ops: [{ ...set, ttl: 1, expiresAt: 4_102_444_800_123 }] }],
  ["ops[0].ifAbsent", { ops: [{ ...set, ifAbsent: true }] }],
  ["ops", { ops: Array.from({ length: 10_001 }, (_, i) => ({ op: "del", key: `${i}` })) }],
  ["checks", { ops: [set], checks: {} }],
  ["checks[0]", { ops: [set], checks: [1] }],
  ["checks[0].key", { ops: [set], checks: [{ version: 1 }] }],
  ["checks[0].version", { ops: [set], checks: [{ key: "a" }] }],
  ...[0, -1, 1.5, "1", 2 ** 53].map((version): [string, unknown] => [
    "checks[1].version",
    { ops: [set], checks: [{ key: "b", version: 1 }, { key: "a", version }] },
  ]),
  ["checks[1].key", {
    ops: [set],
    checks: [{ key: "b", version: 1 }, { key: "b", version: null }],
  }],
];

test("batch: what is wrong is 400 and names the field, and nothing is written", async () => {
  await using service = await Service.start();
  for (const [field, body] of BAD_BODIES) {
    const response = await service.postBatch(body);
    const detail = await assertProblem(response, 400, "InvalidArgument", field);
    assert(detail.startsWith(field === "body" ? "The body" : field), detail);
    assert(detail.length < 300, detail);
  }
  assert.equal(service.store.stats().version, 0);
});

test("a batch with a number beyond all numbers: it is called what it has become", async () => {
  await using service = await Service.start();
  const response = await service.ask("POST", "/v1/batch", {
    body: '{"ops":[],"checks":[{"key":"a","version":1e400}]}',
    headers: { "content-type": "application/json" },
  });
  const detail = await assertProblem(response, 400, "InvalidArgument", "checks[0].version");
  assert.match(detail, /^checks\[0\]\.version is Infinity: /);
});

test("batch: bodies that are not JSON, not UTF-8, or of another type", async () => {
  await using service = await Service.start();
  const post = (body: BodyInit | null, type?: string) =>
    service.ask("POST", "/v1/batch", {
      body,
      headers: type === undefined ? {} : { "content-type": type },
    });
  const json = JSON.stringify({ ops: [set] });
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]) {
    const response = await post(json, type);
    await assertProblem(response, 415, "UnsupportedMediaType", "Content-Type");
  }
  const bytes = new TextEncoder().encode(json);
  await assertProblem(await post(bytes), 415, "UnsupportedMediaType");
  for (const body of ["", "{", json + "x", "{'ops':[]}", "NaN"]) {
    await assertProblem(await post(body, "application/json"), 400, "BadRequest");
  }
  const latin = Uint8Array.of(0x22, 0xe9, 0x22);
  assert.match(
    await assertProblem(await post(latin, "application/json"), 400, "BadRequest"),
    /UTF-8/,
  );
  const unknown = await service.ask("POST", "/v1/batch?dry=1", { body: json });
  await assertProblem(unknown, 400, "InvalidArgument", "dry");
  assert.equal(service.store.size, 0);
  const good = await post(json, "Application/JSON; charset=utf-8");
  assert.equal(good.status, 200);
});

test("batch: a body or a value that is too long is 413", async () => {
  await using service = await Service.start({ valueBytesMax: 100 });
  const ops = [set, { op: "set", key: "b", value: "é".repeat(51) }];
  await assertProblem(await service.postBatch({ ops }), 413, "ValueTooLarge", "ops[1].value");
  const long = JSON.stringify({ ops: [] }) + " ".repeat(16 << 20);
  const response = await service.ask("POST", "/v1/batch", {
    body: long,
    headers: { "content-type": "application/json" },
  });
  await assertProblem(response, 413, "BodyTooLarge");
  assert.equal(service.store.size, 0);
});

test("a batch that cannot be one is refused before all of it is looked at", async () => {
  await using service = await Service.start();
  const post = (body: string) =>
    service.ask("POST", "/v1/batch", { body, headers: { "content-type": "application/json" } });
  for (const name of ["ops", "checks"]) {
    const tooMany = `{"ops":[],"${name}":[${"1,".repeat(10_000)}1]}`;
    const detail = await assertProblem(await post(tooMany), 400, "InvalidArgument", name);
    assert.match(detail, / has 10001 elements: it must be an array of at most 10000$/);
  }
  await assertProblem(await post('{"a":1,"a":2}'), 400, "InvalidArgument", "ops");
});
