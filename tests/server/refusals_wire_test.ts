/**
 * The executable, asked wrongly in every way that is documented: each wrong part of a request gets its
 * status, a code, and its own name, and nothing of what was asked is done.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { STATUS_BY_CODE } from "../../lib/server/http/problem.ts";
import { type ServerProcess, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { askWire, type WireRequest, type WireResponse } from "./wire_client.ts";

type Headers = NonNullable<WireRequest["headers"]>;
/** What is sent, and how it is refused. */
type Refusal = [
  answer: `${number} ${string}`,
  field: string | undefined,
  request: `${string} ${string}`,
  headers?: Headers,
  body?: string | Uint8Array,
];

let directory: TemporaryDirectory;
let server: ServerProcess;

before(async () => {
  directory = new TemporaryDirectory();
  server = await startServer(directory.path, ["--retain-changes", "0"]);
  await fill();
});

after(async () => {
  await server.stop("SIGKILL");
  directory[Symbol.dispose]();
});

/** Key `a` has version 1 and `b` has 4; the delete with 3 is compacted away. */
async function fill(): Promise<void> {
  const put = (key: string) => ask("PUT", `/v1/kv/${key}`, [], "0123456789");
  assert.deepEqual([(await put("a")).status, (await put("gone")).status], [201, 201]);
  assert.equal((await ask("DELETE", "/v1/kv/gone")).status, 204);
  assert.equal((await put("b")).status, 201);
  assert.equal((await ask("POST", "/v1/compact")).status, 200);
}

function ask(
  method: string,
  target: string,
  headers: Headers = [],
  body?: string | Uint8Array,
): Promise<WireResponse> {
  return askWire(server.port, { method, target, headers, ...(body !== undefined && { body }) });
}

async function stateOf(): Promise<unknown> {
  const listing = JSON.parse((await ask("GET", "/v1/kv?values=1")).text);
  const { version, keys } = JSON.parse((await ask("GET", "/v1/stats")).text);
  return { listing, version, keys };
}

const JSON_TYPE: Headers = [["Content-Type", "application/json"]];
const batch = (body: unknown, headers = JSON_TYPE): [`POST ${string}`, Headers, string] => [
  "POST /v1/batch",
  headers,
  typeof body === "string" ? body : JSON.stringify(body),
];
const SET = { op: "set", key: "new", value: "x" };

const KEYS: Refusal[] = [
  ["400 InvalidKey", "key", "GET /v1/kv/"],
  ["400 InvalidKey", "key", "PUT /v1/kv/"],
  ["400 InvalidKey", "key", "GET /v1/kv/%FF"],
  ["400 InvalidKey", "key", "PUT /v1/kv/%C0%AE"],
  ["400 InvalidKey", "key", "PUT /v1/kv/%ED%A0%80"],
  ["400 InvalidKey", "key", "DELETE /v1/kv/%"],
  ["400 InvalidKey", "key", "DELETE /v1/kv/a%2"],
  ["400 InvalidKey", "key", "GET /v1/kv/%zz"],
  ["404 NotFound", undefined, "GET /v1/kv/none"],
  ["404 NotFound", undefined, "DELETE /v1/kv/none"],
  ["404 NotFound", undefined, "GET /v1/kv/%00"],
  ["404 NoSuchRoute", "path", "GET /v2"],
  ["404 NoSuchRoute", "path", "GET /"],
  ["404 NoSuchRoute", "path", "GET /healthz/"],
  ["404 NoSuchRoute", "path", "PUT /v1//kv/a"],
  ["404 NoSuchRoute", "path", "OPTIONS /nowhere"],
];

const METHODS: Refusal[] = [
  ...["POST", "PATCH", "TRACE", "PROPFIND", "QUERY"].map((method): Refusal => [
    "405 MethodNotAllowed",
    "method",
    `${method} /v1/kv/a`,
  ]),
  ["405 MethodNotAllowed", "method", "PUT /v1/kv"],
  ["405 MethodNotAllowed", "method", "DELETE /v1/kv"],
  ["405 MethodNotAllowed", "method", "GET /v1/batch"],
  ["405 MethodNotAllowed", "method", "GET /v1/flush"],
  ["405 MethodNotAllowed", "method", "GET /v1/compact"],
  ...["/v1/changes", "/v1/stats", "/v1/backup", "/healthz", "/readyz", "/metrics", "/docs"]
    .map((path): Refusal => ["405 MethodNotAllowed", "method", `POST ${path}`]),
  ["405 MethodNotAllowed", "method", "PUT /openapi.json"],
];

const parameters = (route: `${string} ${string}`, name: string, ...values: string[]): Refusal[] =>
  values.map((value) => ["400 InvalidArgument", name, `${route}?${name}=${value}`]);

const QUERIES: Refusal[] = [
  ...parameters(
    "PUT /v1/kv/new",
    "ttl",
    ...["", "0", "-1", "1e3", "0.0001", "1.2345", "1,5", "%2B1", "NaN", "Infinity", "0x10", "90s"],
    ...["1000000000000", "9".repeat(400), "%FF"],
  ),
  ["400 InvalidArgument", "ttl", "PUT /v1/kv/new?ttl"],
  ["400 InvalidArgument", "ttl", "PUT /v1/kv/new?ttl=5&ttl=5"],
  ["400 InvalidArgument", "ttl", "PUT /v1/kv/new?ttl=5&%74tl=6"],
  ["400 InvalidArgument", "TTL", "PUT /v1/kv/new?TTL=5"],
  ["400 InvalidArgument", "ttl", "GET /v1/kv/a?ttl=5"],
  ["400 InvalidArgument", "ttl", "DELETE /v1/kv/a?ttl=5"],
  ["400 InvalidArgument", "__proto__", "GET /v1/kv/a?__proto__=1"],
  ...parameters("GET /v1/kv", "limit", "", "0", "-1", "1.5", "abc", "1e2", "9".repeat(20), "1%00"),
  ...parameters("GET /v1/kv", "cursor", "", "abc", "Ad6daLxrMR", "=", "A".repeat(2000), "%C3%A9"),
  ...parameters("GET /v1/kv", "reverse", "", "yes", "2", "TRUE"),
  ...parameters("GET /v1/kv", "values", "", "no", "-1"),
  ...["prefix", "start", "end"].flatMap((name) => parameters("GET /v1/kv", name, "%FF", "%")),
  // A sound one, but of a listing with other bounds.
  ["400 InvalidArgument", "cursor", "GET /v1/kv?cursor=Ad6daLxrMQ&prefix=a"],
  ["400 InvalidArgument", "limit", "GET /v1/kv?limit=1&limit=1"],
  ["400 InvalidArgument", "offset", "GET /v1/kv?offset=1"],
  ...parameters("GET /v1/changes", "since", "", "-1", "1.5", "abc", "5", "9".repeat(30)),
  ...parameters("GET /v1/changes", "wait", "", "-1", "0.5", "51", "abc"),
  ...parameters("GET /v1/changes", "values", "", "yes"),
  ...parameters("GET /v1/changes", "prefix", "%FF"),
  ["400 InvalidArgument", "wait", "GET /v1/changes?wait=0&wait=0"],
  ["400 InvalidArgument", "until", "GET /v1/changes?until=7"],
  ["410 Compacted", "since", "GET /v1/changes?since=0"],
  ["410 Compacted", "since", "GET /v1/changes?since=0&wait=0"],
  ["410 Compacted", "Last-Event-ID", "GET /v1/changes", [["Last-Event-ID", "1"]]],
  ...["POST /v1/batch", "POST /v1/flush", "POST /v1/compact", "GET /v1/stats", "GET /v1/backup"]
    .map((
      route,
    ): Refusal => ["400 InvalidArgument", "x", `${route as "GET /"}?x=1`, JSON_TYPE, "{}"]),
];

const header = (request: `${string} ${string}`, name: string, ...values: string[]): Refusal[] =>
  values.map((value) => ["400 InvalidArgument", name, request, [[name, value]], "x"]);
const failing = (request: `${string} ${string}`, name: string, ...values: string[]): Refusal[] =>
  values.map((value) => ["412 ConditionFailed", name, request, [[name, value]], "x"]);

const HEADERS: Refusal[] = [
  ...["GET", "PUT", "DELETE"].flatMap((method) =>
    header(`${method} /v1/kv/a`, "If-Match", "", "1", "abc", '"1', '"1" "2"', '"1",2', "*, *")
  ),
  ...["GET", "PUT"].flatMap((method) =>
    header(`${method} /v1/kv/a`, "If-None-Match", "", "1", '"1', 'w/"1"')
  ),
  ...header("DELETE /v1/kv/a", "If-None-Match", "*", '"1"'),
  ...["GET", "PUT", "DELETE"].flatMap((method) => [
    ...failing(`${method} /v1/kv/a`, "If-Match", '"2"', 'W/"1"', '"x"', '""', '"1.0"', '"01"'),
    ...failing(`${method} /v1/kv/a`, "If-Match", '"2", "3"', `"${"9".repeat(30)}"`, `"${2 ** 53}"`),
    ...failing(`${method} /v1/kv/none`, "If-Match", "*", '"1"', '"1", "2"'),
  ]),
  ...failing("PUT /v1/kv/a", "If-None-Match", "*", '"1"', 'W/"1"', '"7", "1"'),
  ["412 ConditionFailed", "If-Match", "PUT /v1/kv/a", [["If-Match", '"2"'], ["If-Match", '"3"']]],
  [
    "412 ConditionFailed",
    "If-None-Match",
    "PUT /v1/kv/a",
    [["If-Match", '"1"'], ["If-None-Match", "*"]],
  ],
  ...["bytes=10-", "bytes=99999999999999999999-", "bytes=-0"].map((range): Refusal => [
    "416 RangeNotSatisfiable",
    "Range",
    "GET /v1/kv/a",
    [["Range", range]],
  ]),
  ...header("PUT /v1/kv/a", "Content-Range", "bytes 0-0/1"),
  ...header("GET /v1/changes", "Last-Event-ID", "abc", "-1", "1.5", "5", "9".repeat(15), "1, 1"),
  ["400 InvalidArgument", "Last-Event-ID", "GET /v1/changes", [
    ["Last-Event-ID", "4"],
    ["Last-Event-ID", "4"],
  ]],
  ["421 MisdirectedRequest", "Host", "PUT /v1/kv/new", [["Host", "example.com"]], "x"],
  ["403 Forbidden", "Origin", "PUT /v1/kv/new", [["Origin", "https://example.com"]], "x"],
  ["403 Forbidden", "Sec-Fetch-Site", "PUT /v1/kv/new", [["Sec-Fetch-Site", "same-site"]], "x"],
];

const BODIES: Refusal[] = [
  ...["gzip", "br", "identity, gzip", ""].flatMap((encoding): Refusal[] => [
    [
      "415 UnsupportedMediaType",
      "Content-Encoding",
      "PUT /v1/kv/new",
      [["Content-Encoding", encoding]],
      "x",
    ],
    [
      "415 UnsupportedMediaType",
      "Content-Encoding",
      ...batch({ ops: [SET] }, [...JSON_TYPE, ["Content-Encoding", encoding]]),
    ],
  ]),
  ...["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""].map(
    (type): Refusal => [
      "415 UnsupportedMediaType",
      "Content-Type",
      ...batch({ ops: [SET] }, [["Content-Type", type]]),
    ],
  ),
  ["415 UnsupportedMediaType", "Content-Type", ...batch({ ops: [SET] }, [])],
  ["413 ValueTooLarge", "body", "PUT /v1/kv/new", [["Content-Length", "67108865"]]],
  ["413 BodyTooLarge", "body", "POST /v1/batch", [...JSON_TYPE, ["Content-Length", "16777217"]]],
  ...["", "{", "nul", "{'ops':[]}", '{"ops":[]}x', '{"ops":[],}', "\x00", "[".repeat(100_000)].map(
    (body): Refusal => ["400 BadRequest", "body", ...batch(body)],
  ),
  ["400 BadRequest", "body", "POST /v1/batch", JSON_TYPE, Uint8Array.of(0x22, 0xe9, 0x22)],
  ...["null", '"ops"', "7"].map((body): Refusal => [
    "400 InvalidArgument",
    "body",
    ...batch(body),
  ]),
  ["400 InvalidArgument", "ops", ...batch({})],
  ["400 InvalidArgument", "ops", ...batch([])],
  ["400 InvalidArgument", "ops", ...batch({ ops: "x" })],
  ["400 InvalidArgument", "ops[0].op", ...batch(deepOps())],
  ["400 InvalidArgument", "more", ...batch({ ops: [SET], more: 1 })],
  ["400 InvalidArgument", "__proto__", ...batch('{"ops":[],"__proto__":{}}')],
  ["400 InvalidArgument", "ops[1].op", ...batch({ ops: [SET, { op: "SET", key: "b" }] })],
  ["400 InvalidArgument", "ops[0].version", ...batch({ ops: [{ ...SET, version: 1 }] })],
  ["400 InvalidArgument", "ops[1].key", ...batch({ ops: [SET, { op: "del", key: "" }] })],
  ["400 InvalidArgument", "ops[1].key", ...batch({ ops: [SET, { op: "del", key: "new" }] })],
  ["400 InvalidArgument", "ops[0].key", ...batch({ ops: [{ ...SET, key: "k".repeat(65_537) }] })],
  ["400 InvalidArgument", "ops[0].value", ...batch({ ops: [{ op: "set", key: "new" }] })],
  ["400 InvalidArgument", "ops[0].value", ...batch({ ops: [{ ...SET, value: "\ud800" }] })],
  ["400 InvalidArgument", "ops[0].encoding", ...batch({ ops: [{ ...SET, encoding: "hex" }] })],
  ...["x", "eA", "eA=", "eA==\n", "_w==", "e A=="].map((value): Refusal => [
    "400 InvalidArgument",
    "ops[0].value",
    ...batch({ ops: [{ ...SET, value, encoding: "base64" }] }),
  ]),
  ...["0", "-1", "1e-5", "1e400", '"90"', "null", "1e12"].map((ttl): Refusal => [
    "400 InvalidArgument",
    "ops[0].ttl",
    ...batch(`{"ops":[{"op":"set","key":"new","value":"x","ttl":${ttl}}]}`),
  ]),
  [
    "400 InvalidArgument",
    "ops",
    ...batch('{"ops":[{"op":"set","key":"new","value":"x"}],"ops":[]}'),
  ],
  [
    "400 InvalidArgument",
    "ops[1].key",
    ...batch(
      '{"ops":[{"op":"del","key":"a"},{"op":"set","key":"new","value":"x","\\u006bey":"a"}]}',
    ),
  ],
  [
    "400 InvalidArgument",
    "checks[0].version",
    ...batch(
      '{"ops":[{"op":"del","key":"a"}],"checks":[{"key":"a","version":7,"version":1}]}',
    ),
  ],
  ["400 InvalidArgument", "checks", ...batch({ ops: [SET], checks: null })],
  ["400 InvalidArgument", "checks[0].key", ...batch({ ops: [SET], checks: [{ version: 1 }] })],
  ...[0, -1, 1.5, "1", 1e300].map((version): Refusal => [
    "400 InvalidArgument",
    "checks[1].version",
    ...batch({ ops: [SET], checks: [{ key: "b", version: 4 }, { key: "a", version }] }),
  ]),
  [
    "409 ConditionFailed",
    "checks[0].version",
    ...batch({
      ops: [SET],
      checks: [{ key: "a", version: null }],
    }),
  ],
  [
    "409 ConditionFailed",
    "checks[1].version",
    ...batch({
      ops: [SET, { op: "del", key: "a" }],
      checks: [{ key: "a", version: 1 }, { key: "b", version: 2 }],
    }),
  ],
  [
    "409 ConditionFailed",
    "checks[0].version",
    ...batch({
      ops: [],
      checks: [{ key: "none", version: 1 }],
    }),
  ],
];

function deepOps(): string {
  return `{"ops":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
}

const seen = new Set<string>();

for (const [what, refusals] of Object.entries({ KEYS, METHODS, QUERIES, HEADERS, BODIES })) {
  test(`refused: ${what.toLowerCase()}, each with its status, its code and its name`, async () => {
    const stateBefore = await stateOf();
    for (const [answer, field, request, headers, body] of refusals) {
      const [method, target] = request.split(" ") as [string, string];
      const shown = `${request.slice(0, 100)} ${JSON.stringify(headers ?? [])} ` +
        String(body ?? "").slice(0, 100);
      const response = await ask(method, target, headers, body);
      const problem = problemOf(response, shown);
      assert.deepEqual(
        [`${problem.status} ${problem.code}`, problem.field],
        [answer, field],
        shown,
      );
      assert.equal(response.headers.has("retry-after"), false, shown);
      if (response.status === 405) {
        const options = await ask("OPTIONS", target);
        assert.equal(response.headers.get("allow"), options.headers.get("allow"));
      }
      if (response.status === 416) {
        assert.equal(response.headers.get("content-range"), "bytes */10");
      }
      seen.add(answer);
    }
    assert.deepEqual(await stateOf(), stateBefore, "nothing was done");
  });
}

function problemOf({ status, headers, text }: WireResponse, shown: string) {
  assert.equal(headers.get("content-type"), "application/problem+json", `${shown}: ${text}`);
  const problem = JSON.parse(text);
  assert.equal(problem.status, status, shown);
  assert.equal(problem.type, "about:blank");
  assert(problem.title.length > 0 && problem.detail.length > 0 && text.length < 1000, text);
  return problem;
}

/** Problems that need another server to come about, and where they do. */
const ELSEWHERE: Record<string, string> = {
  Unauthorized: "serve_tokens_test.ts",
  TooManyRequests: "contract_wire_test.ts",
  RequestTimeout: "hostile_wire_test.ts",
  Overloaded: "overload_test.ts",
  Io: "serve_signals_test.ts",
  NoSpace: "serve_signals_test.ts",
  CorruptLog: "contract_wire_test.ts",
  Closed: "changes_test.ts, since the executable does not answer any more then",
  Internal: "app_test.ts, since no defect is known",
  ReadOnly: "app_test.ts, since the executable opens for writing",
  Locked: "app_test.ts, since the executable does not start then",
  Unsupported: "app_test.ts, since no route answers so",
};

test("refused: every problem that there is was seen, here or elsewhere", () => {
  const codes = [...seen].map((answer) => answer.split(" ")[1]!);
  const expected = Object.keys(STATUS_BY_CODE).filter((code) => !(code in ELSEWHERE));
  assert.deepEqual([...new Set(codes)].sort(), expected.sort());
});
