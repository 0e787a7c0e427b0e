/** The contract of docs/protocol.md, row by row, against the executable: what good requests get. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { after, before, test } from "node:test";
import { rawExchange, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { askWire, type WireRequest, type WireResponse } from "./wire_client.ts";

type Headers = NonNullable<WireRequest["headers"]>;

const NDJSON: Headers = [["Accept", "application/x-ndjson"]];
const JSON_TYPE: Headers = [["Content-Type", "application/json"]];
/** Of every answer, and different each time. */
const VARYING = ["date", "x-request-id"];

let directory: TemporaryDirectory;
let server: ServerProcess;

before(async () => {
  directory = new TemporaryDirectory();
  server = await startServer(directory.path);
});

after(async () => {
  await server.stop("SIGKILL");
  directory[Symbol.dispose]();
});

function ask(
  request: `${string} ${string}`,
  headers: Headers = [],
  body?: string | Uint8Array,
): Promise<WireResponse> {
  const [method, target] = request.split(" ") as [string, string];
  return askWire(server.port, { method, target, headers, ...(body !== undefined && { body }) });
}

async function post(body: unknown): Promise<{ version: number }> {
  const { status, text } = await ask("POST /v1/batch", JSON_TYPE, JSON.stringify(body));
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

function headersOf({ headers }: WireResponse): Record<string, string> {
  const entries = [...headers].filter(([name]) => !VARYING.includes(name) && name !== "connection");
  return Object.fromEntries(entries);
}

function etagOf({ headers }: WireResponse): number {
  return Number(/^"(\d+)"$/.exec(headers.get("etag") ?? "")?.[1]);
}

test("contract: a value goes in and out, with every header that is documented", async () => {
  const value = Uint8Array.from({ length: 256 }, (_, index) => index);
  const created = await ask("PUT /v1/kv/all/bytes", [["Content-Type", "text/html"]], value);
  const version = etagOf(created);
  assert.deepEqual([created.status, created.body.length], [201, 0]);
  const got = await ask("GET /v1/kv/all%2Fbytes");
  assert.deepEqual([got.status, got.body], [200, value]);
  assert.deepEqual(headersOf(got), {
    "content-type": "application/octet-stream",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
    "accept-ranges": "bytes",
    "etag": `"${version}"`,
    "content-length": "256",
  });
  const replaced = await ask("PUT /v1/kv/all/bytes", [], "");
  assert.deepEqual([replaced.status, etagOf(replaced)], [204, version + 1]);
  assert.equal((await ask("GET /v1/kv/all/bytes")).body.length, 0);
  const removed = await ask("DELETE /v1/kv/all/bytes", [], "a body that nobody reads");
  assert.deepEqual([removed.status, removed.headers.has("etag")], [204, false]);
  assert.equal((await ask("GET /v1/kv/all/bytes")).status, 404);
  assert.equal((await ask("PUT /v1/kv/all/bytes", [], "new again")).status, 201);
});

test("contract: keys are what follows, decoded once, and nothing tidies them up", async () => {
  const keys = {
    "k/a//b/": "a//b/",
    "k/%2F": "/",
    "k/%252F": "%2F",
    "k/a%2F..%2Fb": "a/../b",
    "k/%00": "\0",
    "k/%0d%0aX:%20y": "\r\nX: y",
    "k/+": "+",
    "k/a+b%20c": "a+b c",
    "k/%E2%82%AC": "€",
    "k/%3F%23": "?#",
    "k/%ef%bb%bf": "\ufeff",
    "k/%f0%9f%98%80": "😀",
    "k/C:%5c%7e": "C:\\~",
  };
  for (const [target, key] of Object.entries(keys)) {
    assert.equal((await ask(`PUT /v1/kv/${target}`, [], key)).status, 201, target);
    assert.equal((await ask(`GET /v1/kv/${target}`)).text, key, target);
  }
  const { entries } = JSON.parse((await ask("GET /v1/kv?prefix=k/&limit=1000")).text);
  const listed = entries.map(({ key }: { key: string }) => key.slice(2));
  assert.deepEqual(listed, Object.values(keys).sort((a, b) => Buffer.compare(...bytesOf(a, b))));
  for (const target of Object.keys(keys)) {
    assert.equal((await ask(`DELETE /v1/kv/${target}`)).status, 204, target);
  }
});

function bytesOf(...texts: [string, string]): [Buffer, Buffer] {
  return [Buffer.from(texts[0]), Buffer.from(texts[1])];
}

test("contract: a time to live, in both headers, and the end of it", async () => {
  for (const [ttl, ms] of [["90", 90_000], ["0.5", 500], ["999999999999", 999_999_999_999_000]]) {
    const before = Date.now();
    assert.equal((await ask(`PUT /v1/kv/ttl-${ttl}?ttl=${ttl}`, [], "x")).status, 201);
    const { headers } = await ask(`HEAD /v1/kv/ttl-${ttl}`);
    if (headers.get("expires") === undefined) continue; // half a second is short
    const exact = Number(headers.get("cairn-expires-at"));
    assert(exact >= before + Number(ms) && exact <= Date.now() + Number(ms));
    const date = Date.parse(headers.get("expires")!);
    assert.equal(
      date,
      Math.min(Math.floor(exact / 1000) * 1000, Date.UTC(9999, 11, 31, 23, 59, 59)),
    );
  }
  while ((await ask("GET /v1/kv/ttl-0.5")).status !== 404);
  assert.equal((await ask("PUT /v1/kv/ttl-90", [], "x")).status, 204);
  assert.equal((await ask("GET /v1/kv/ttl-90")).headers.has("expires"), false);
});

test("contract: preconditions, of every shape, on every method", async () => {
  const first = etagOf(await ask("PUT /v1/kv/if", [["If-None-Match", "*"]], "1"));
  const put = async (name: string, value: string) =>
    (await ask("PUT /v1/kv/if", [[name, value]], "2")).status;
  assert.equal(await put("If-Match", `"${first}"`), 204);
  assert.equal(await put("If-Match", `W/"x",\t"7" , "${first + 1}"`), 204);
  assert.equal(await put("If-Match", "*"), 204);
  assert.equal(await put("If-None-Match", `"${first}", W/"${first + 1}"`), 204);
  const version = first + 4;
  const get = async (name: string, value: string) => await ask("GET /v1/kv/if", [[name, value]]);
  assert.equal((await get("If-Match", `"1", "${version}"`)).status, 200);
  assert.equal((await get("If-Match", "*")).status, 200);
  assert.equal((await get("If-None-Match", `"${first}"`)).status, 200);
  for (const tags of [`"${version}"`, `W/"${version}"`, "*", `"1", "${version}"`]) {
    for (const method of ["GET", "HEAD"] as const) {
      const { status, headers, body } = await ask(`${method} /v1/kv/if`, [["If-None-Match", tags]]);
      assert.deepEqual([status, headers.get("etag"), body.length], [304, `"${version}"`, 0]);
    }
  }
  const remove = async (tags: string) =>
    (await ask("DELETE /v1/kv/if", [["If-Match", tags]])).status;
  assert.deepEqual([await remove(`"${first}"`), await remove(`"1", "${version}"`)], [412, 204]);
  assert.equal(await remove("*"), 412);
});

test("contract: ranges, of every shape", async () => {
  for (const length of [10, 100_000]) {
    const value = Buffer.alloc(length, "0123456789");
    const version = etagOf(await ask(`PUT /v1/kv/range`, [], value));
    const get = (range: string, ...more: Headers) =>
      ask("GET /v1/kv/range", [["Range", range], ...more]);
    const parts: [range: string, first: number, last: number][] = [
      ["bytes=0-0", 0, 0],
      ["bytes=2-4", 2, 4],
      ["bytes=-3", length - 3, length - 1],
      [`bytes=-${"9".repeat(30)}`, 0, length - 1],
      ["bytes=7-", 7, length - 1],
      [`bytes=7-${"9".repeat(30)}`, 7, length - 1],
      ["Bytes=1-2", 1, 2],
    ];
    for (const [range, first, last] of parts) {
      const part = await get(range, ["If-Range", `"${version}"`]);
      assert.deepEqual([part.status, part.text], [206, String(value.subarray(first, last + 1))]);
      assert.equal(part.headers.get("content-range"), `bytes ${first}-${last}/${length}`);
      assert.equal(part.headers.get("content-length"), String(last - first + 1));
      assert.equal(etagOf(part), version);
      assert.equal((await get(range, ["If-Range", '"1"'])).body.length, length, "another version");
      assert.equal((await get(range, ["If-Range", `W/"${version}"`])).status, 200, "a weak tag");
    }
    for (const range of ["bytes=3-1", "bytes=0-1,3-4", "bytes=", "bytes=a-b", "lines=1-2", "0-1"]) {
      const all = await get(range);
      assert.deepEqual([all.status, all.body.length], [200, length], range);
    }
    assert.equal((await ask("HEAD /v1/kv/range", [["Range", "bytes=0-1"]])).status, 200);
  }
});

test("contract: a body in chunks is stored, and one that does not end as such is not", async () => {
  const put = (key: string, ending: string) =>
    rawExchange(
      server.port,
      `PUT /v1/kv/${key} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n${ending}`,
    );
  assert.match(await put("chunks", "0\r\n\r\n"), /^HTTP\/1\.1 201 /);
  assert.equal((await ask("GET /v1/kv/chunks")).text, "abcde");
  for (const ending of ["0\r\nzz\r\n", "0\r\nX: trailer\r\n\r\n", "x\r\n"]) {
    assert.match(await put("broken", ending), /^HTTP\/1\.1 400 /);
  }
  // Behind whatever they may have written.
  assert.equal((await ask("PUT /v1/kv/chunks", [], "")).status, 204);
  assert.equal((await ask("GET /v1/kv/broken")).status, 404);
});

test("contract: batches of nothing, of one and of many, with checks", async () => {
  const { version } = await post({ ops: [{ op: "set", key: "batch/a", value: "1" }] });
  assert.deepEqual(await post({ ops: [] }), { version });
  const checks = [{ key: "batch/a", version }, { key: "batch/none", version: null }];
  assert.deepEqual(await post({ ops: [], checks }), { version });
  const ops = Array.from({ length: 10_000 }, (_, i) => ({
    ...{ op: "set", key: `batch/${i}`, value: "AP8=", encoding: "base64", ttl: 3600.5 },
  }));
  const many = Array.from({ length: 10_000 }, (_, i) => ({ key: `batch/${i}`, version: null }));
  assert.deepEqual(await post({ ops, checks: many }), { version: version + 10_000 });
  const last = await ask("GET /v1/kv/batch/9999");
  assert.deepEqual([last.body, etagOf(last)], [Uint8Array.of(0, 255), version + 10_000]);
  assert(last.headers.has("expires"));
  const removing = ops.map(({ key }) => ({ op: "del", key }));
  assert.deepEqual(await post({ ops: removing }), { version: version + 20_000 });
});

test("contract: a listing in pages, in both directions, and as a stream", async () => {
  const keys = Array.from({ length: 25 }, (_, i) => `list/${String(i).padStart(2, "0")}`);
  await post({ ops: keys.map((key) => ({ op: "set", key, value: key })) });
  for (const reverse of [0, 1]) {
    const expected = reverse === 0 ? keys.slice(1, 24) : keys.slice(1, 24).reverse();
    const bounds = `start=list/01&end=list/24&prefix=list&reverse=${reverse}`;
    const found: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page = JSON.parse(
        (await ask(`GET /v1/kv?${bounds}&limit=7&values=1${cursor && `&cursor=${cursor}`}`)).text,
      );
      assert.deepEqual(Object.keys(page), ["entries", "cursor", "complete"]);
      for (const { key, value, size, version } of page.entries) {
        assert.deepEqual([value, size, version > 0], [key, key.length, true]);
        found.push(key);
      }
      assert.equal(page.complete, page.cursor === null);
      cursor = page.cursor;
    }
    assert.deepEqual(found, expected);
    const stream = await ask(`GET /v1/kv?${bounds}`, NDJSON);
    assert.equal(stream.headers.get("content-type"), "application/x-ndjson");
    const lines = stream.text.trimEnd().split("\n").map((line) => JSON.parse(line).key);
    assert.deepEqual(lines, expected);
  }
});

test("contract: HEAD says of every path what GET says", async () => {
  const paths = [
    ...["/v1/kv/head", "/v1/kv/none", "/v1/kv/%FF", "/v1/kv", "/v1/kv?values=1", "/v1/kv?limit=0"],
    ...["/v1/changes?wait=0&since=0", "/v1/changes?since=999999999", "/v1/stats", "/v1/stats?x=1"],
    ...["/v1/backup", "/healthz", "/readyz", "/openapi.json", "/docs", "/nowhere", "/v1/flush"],
  ];
  await ask("PUT /v1/kv/head?ttl=3600", [], "value");
  for (const path of paths) {
    for (const more of path === "/v1/kv" ? [[], NDJSON] : [[]]) {
      const get = await ask(`GET ${path}`, more);
      const head = await ask(`HEAD ${path}`, more);
      assert.equal(head.status, get.status, path);
      assert.equal(head.body.length, 0, path);
      assert.deepEqual(headersOf(head), headersOf(get), path);
    }
  }
  // A feed has no end that could be waited for; here, too, HEAD must not open one.
  const { headers } = await ask("HEAD /v1/changes");
  assert.deepEqual([headers.get("content-type"), headers.has("content-length")], [
    "text/event-stream",
    false,
  ]);
  const metrics = (await ask("GET /metrics")).text;
  assert.match(metrics, /^cairn_change_feeds_open 0$/m);
  assert.match(metrics, /^cairn_operations_total\{operation="backup",result="ok"\} 1$/m);
});

test("contract: each route refuses foreign Hosts, origins and sites, whatever the method", async () => {
  const { paths } = JSON.parse((await ask("GET /openapi.json")).text);
  const targets = [...Object.keys(paths).map((path) => path.replace("{key}", "a")), "/nowhere"];
  const port = server.port;
  const foreign: [status: number, name: string, value: string][] = [
    [421, "Host", "evil.example"],
    [421, "Host", `evil.example:${port}`],
    [421, "Host", `127.0.0.1.evil.example:${port}`],
    [421, "Host", "127.0.0.1"],
    [421, "Host", `127.0.0.1:${port}@evil.example`],
    [403, "Origin", "https://evil.example"],
    [403, "Origin", "null"],
    [403, "Origin", `http://127.0.0.1:${port + 1}`],
    [403, "Origin", `https://127.0.0.1:${port}`],
    [403, "Sec-Fetch-Site", "cross-site"],
    [403, "Sec-Fetch-Site", "same-site"],
  ];
  const { version } = JSON.parse((await ask("GET /v1/stats")).text);
  const asked = targets.flatMap((target) =>
    ["GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "PATCH"].flatMap((method) =>
      foreign.map(async ([status, name, value]) => {
        const answer = await ask(`${method} ${target}`, [...JSON_TYPE, [name, value]], "{}");
        assert.equal(answer.status, status, `${method} ${target} ${name}: ${value}`);
        assert(![...answer.headers.keys()].some((header) => header.startsWith("access-control")));
      })
    )
  );
  await Promise.all(asked);
  assert.equal(JSON.parse((await ask("GET /v1/stats")).text).version, version);
});

test("contract: wrong tokens get 401 and then 429 with Retry-After; the right one goes on", async () => {
  using own = new TemporaryDirectory();
  const token = "0123456789abcdef0123456789abcdef";
  await using guarded = await startServer(own.path, [], { env: { CAIRN_TOKEN: token } });
  const get = (credentials: string) =>
    askWire(guarded.port, {
      method: "GET",
      target: "/v1/kv/a",
      headers: [["Authorization", credentials]],
    });
  const statuses: number[] = [];
  let last: WireResponse;
  do {
    last = await get(`Bearer ${token.slice(1)}${statuses.length % 10}`);
    statuses.push(last.status);
    assert.equal(JSON.parse(last.text).field, "Authorization");
  } while (last.status === 401 && statuses.length < 100);
  assert(statuses.length > 10 && last.status === 429, String(statuses));
  assert(Number(last.headers.get("retry-after")) > 0);
  assert.equal((await get(`Bearer ${token}`)).status, 404);
});

test("contract: bytes that are damaged on the disk are a 500, and are not handed out", async () => {
  using own = new TemporaryDirectory();
  await using damaged = await startServer(own.path);
  const target = "/v1/kv/a";
  const value = "a value that is easily found";
  await askWire(damaged.port, { method: "PUT", target, body: value });
  const [name] = readdirSync(own.join("wal")).filter((file) => file.endsWith(".log"));
  const log = own.join("wal", name!);
  const at = readFileSync(log).indexOf(value);
  const file = openSync(log, "r+");
  writeSync(file, Buffer.from("A"), 0, 1, at);
  closeSync(file);
  const { status, text } = await askWire(damaged.port, { method: "GET", target });
  assert.deepEqual([status, JSON.parse(text).code], [500, "CorruptLog"]);
  assert(!text.includes("value that is"));
  assert.match((await damaged.stop()).stderr, /"level":"error".*GET \/v1\/kv\/a failed/);
});
