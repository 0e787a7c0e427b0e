/**
 * Many clients at once, doing everything there is to be done, against the executable: what each was
 * told must agree with one history, which is what change feeds say; listings and later lives of the
 * server must agree with its end, and the metrics with what was asked. It asserts nothing about time.
 * `CAIRN_LOAD_ROUNDS` repeats it with other choices; `CAIRN_LOAD_SEED` says with which it begins.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { type ServerProcess, startServer } from "../support/cairn_process.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { FeedReader } from "./feed_reader.ts";
import { LoadClient, LoadConnection } from "./load_client.ts";
import { type FedChange, LoadRecord } from "./load_record.ts";
import { type Family, parseExposition, valueOf } from "./prometheus_text.ts";

const CLIENTS = 24;
/** So few that nothing is compacted meanwhile, and followers get every change there was. */
const OPERATIONS = 4000;
const ROUNDS = Number(process.env["CAIRN_LOAD_ROUNDS"] ?? 1);
const SEED = Number(process.env["CAIRN_LOAD_SEED"] ?? 1);
/** Written when all is over: followers stop there. */
const END_KEY = "z/end";
const FEED = "/v1/changes";

for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
  test(
    `load: what clients are told agrees with one history, listing and metrics (seed ${seed})`,
    { timeout: 120_000 },
    () => check(seed),
  );
}

async function check(seed: number): Promise<void> {
  using directory = new TemporaryDirectory();
  let server = await startServer(directory.path);
  try {
    const record = new LoadRecord();
    const connection = new LoadConnection(server.url, record);
    const random = new SeededRandom(seed);
    const followers = Promise.all([
      follow(connection),
      followInVisits(connection, random),
      poll(connection),
    ]);
    followers.catch(() => {}); // told where it is waited for
    await untilFollowed(server);
    let remaining = OPERATIONS;
    await Promise.all(Array.from({ length: CLIENTS }, async (_, id) => {
      const client = new LoadClient(id, connection, random);
      while (remaining-- > 0) await client.act();
    }));
    const end = await connection.ask(
      "PUT",
      "/v1/kv/{key}",
      `/v1/kv/${encodeURIComponent(END_KEY)}`,
      {
        body: "end",
      },
    );
    assert.equal(end.status, 201);
    record.requestBytes += "end".length;
    const version = Number(/^"(\d+)"$/.exec(end.headers.get("etag")!)![1]);
    record.acknowledge(version, { op: "set", key: END_KEY, value: "end", call: record.tick() });

    const [history, inVisits, polled] = await followers;
    record.verify(history);
    assert.deepEqual(inVisits, history, "who comes back misses and repeats nothing");
    assert.deepEqual(polled, history, "who polls misses and repeats nothing");
    assert(record.refusals.length > OPERATIONS / 50 && record.deletes.length > OPERATIONS / 50);

    const families = parseExposition(await (await fetch(`${server.url}/metrics`)).text());
    assert.equal(valueOf(families, "cairn_compactions_total", { result: "ok" }), 0);
    verifyMetrics(families, record, history);

    const state = finalState(history);
    assert.deepEqual(await listed(server), state);
    assert.equal((await fetch(`${server.url}/v1/compact`, { method: "POST" })).status, 200);
    assert.deepEqual(await listed(server), state, "compaction changes nothing");
    await server.stop("SIGKILL");
    server = await startServer(directory.path);
    assert.deepEqual(
      await listed(server),
      state,
      "all that was acknowledged is there after a kill",
    );
    assert.equal((await server.stop()).exitCode, 0);
  } finally {
    await server.stop("SIGKILL");
  }
}

function changeOf({ version, op, key, value }: Record<string, unknown>): FedChange {
  return { version, op, key, ...(op === "set" && { value }) } as FedChange;
}

/** One connection from the beginning to the end, by lines. */
async function follow(connection: LoadConnection): Promise<FedChange[]> {
  const headers = { accept: "application/x-ndjson" };
  const path = `${FEED}?since=0&values=1`;
  const reader = FeedReader.lines(await connection.open("GET", FEED, path, { headers }));
  const changes: FedChange[] = [];
  while (changes.at(-1)?.key !== END_KEY) {
    const line = await reader.line();
    if (line["op"] !== undefined) changes.push(changeOf(line));
  }
  await reader.leave();
  return changes;
}

/** By events, leaving again and again, and going on behind the last one. */
async function followInVisits(
  connection: LoadConnection,
  random: SeededRandom,
): Promise<FedChange[]> {
  const changes: FedChange[] = [];
  for (let last = 0; changes.at(-1)?.key !== END_KEY;) {
    const headers = { "last-event-id": String(last) };
    const response = await connection.open("GET", FEED, `${FEED}?values=1`, { headers });
    const reader = FeedReader.events(response);
    const countMax = changes.length + random.between(1, 300);
    while (changes.length < countMax && changes.at(-1)?.key !== END_KEY) {
      const { id, data } = await reader.event();
      if (id !== undefined) last = id;
      if (data !== undefined) changes.push(changeOf(data));
    }
    await reader.leave();
  }
  return changes;
}

/** By one answer after the other. */
async function poll(connection: LoadConnection): Promise<FedChange[]> {
  const changes: FedChange[] = [];
  for (let since = 0; changes.at(-1)?.key !== END_KEY;) {
    const path = `${FEED}?since=${since}&values=1&wait=50`;
    const { status, text } = await connection.ask("GET", FEED, path);
    assert.equal(status, 200, text);
    const answer = JSON.parse(text);
    changes.push(...answer.changes.map(changeOf));
    since = answer.version;
  }
  return changes;
}

async function untilFollowed(server: ServerProcess): Promise<void> {
  const open = async () =>
    valueOf(
      parseExposition(await (await fetch(`${server.url}/metrics`)).text()),
      "cairn_change_feeds_open",
    );
  while (await open() < 3) await new Promise((resolve) => setTimeout(resolve, 5));
}

function verifyMetrics(
  families: Map<string, Family>,
  record: LoadRecord,
  history: readonly FedChange[],
): void {
  const count = (pattern: RegExp) =>
    [...record.requests].filter(([name]) => pattern.test(name)).reduce((sum, [, n]) => sum + n, 0);
  for (const [name, expected] of record.requests) {
    const [method, route, status] = name.split(" ") as [string, string, string];
    const labels = { method, route, status };
    const counter = "cairn_http_request_duration_seconds_count";
    assert.equal(valueOf(families, counter, labels), expected, name);
  }
  const operations = (operation: string, ...results: string[]) =>
    results.reduce(
      (sum, result) => sum + valueOf(families, "cairn_operations_total", { operation, result }),
      0,
    );
  const expected: [operation: string, results: string[], count: number][] = [
    ["set", ["ok"], count(/^PUT .* 2xx/)],
    ["set", ["condition_failed"], count(/^PUT .* 4xx/)],
    ["delete", ["ok"], record.deletes.length],
    ["delete", ["not_found", "condition_failed"], count(/^DELETE .* 4xx/)],
    ["get", ["ok"], count(/^GET \/v1\/kv\/.* 2xx/)],
    ["get", ["not_found"], count(/^GET \/v1\/kv\/.* 4xx/)],
    ["batch", ["ok"], count(/^POST \/v1\/batch 2xx/)],
    ["batch", ["condition_failed"], count(/^POST \/v1\/batch 4xx/)],
    ["list", ["ok"], count(/^GET \/v1\/kv 2xx/)],
    ["flush", ["ok"], count(/^POST \/v1\/flush 2xx/)],
  ];
  for (const [operation, results, number] of expected) {
    assert(number > 0, `${operation} ${results} occurs`);
    assert.equal(operations(operation, ...results), number, `${operation} ${results}`);
  }
  for (const operation of ["set", "delete", "get", "batch", "list", "flush", "changes"]) {
    assert.equal(operations(operation, "error", "refused"), 0, operation);
  }
  assert.equal(valueOf(families, "cairn_http_request_bytes_total"), record.requestBytes);
  // Of feeds and polls, some was sent that nobody counted.
  assert(valueOf(families, "cairn_http_response_bytes_total") >= record.responseBytes);
  assert.equal(valueOf(families, "cairn_group_commit_writes_sum"), history.length);
  assert.equal(valueOf(families, "cairn_version"), history.length);
  assert.equal(valueOf(families, "cairn_keys"), finalState(history).length);
  assert.equal(valueOf(families, "cairn_write_failures_total"), 0);
}

type State = [key: string, version: number, value: string][];

/** What the history comes to, in byte order of the keys. */
function finalState(history: readonly FedChange[]): State {
  const state = new Map<string, FedChange>();
  for (const change of history) state.set(change.key, change);
  return [...state.values()].filter(({ op }) => op === "set")
    .map(({ key, version, value }): State[number] => [key, version, value!])
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function listed({ url }: ServerProcess): Promise<State> {
  const headers = { accept: "application/x-ndjson" };
  const text = await (await fetch(`${url}/v1/kv?values=1`, { headers })).text();
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  return lines.map(({ key, version, value }) => [key, version, value]);
}
