/** `GET /v1/changes`: every format, where it begins, what it refuses, and when it ends. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { KvError, type KvStore } from "../../lib/mod.ts";
import { AccessControl, ChangeFeeds, createApp } from "../../lib/server/http/mod.ts";
import { turn, until } from "../support/test_store.ts";
import { FeedReader } from "./feed_reader.ts";
import { ObservedService } from "./observed_service.ts";
import { valueOf } from "./prometheus_text.ts";
import { assertProblem } from "./service.ts";

const NDJSON = { accept: "application/x-ndjson" };
const LAZY = { durability: { bytes: 1 << 30, millis: 3_600_000 } };
const MANUAL = { ...LAZY, compaction: { auto: false } };

type Asked = [path: string, headers?: HeadersInit];

async function ask(service: ObservedService, ...[path, headers = {}]: Asked): Promise<Response> {
  return await service.app.request(`http://localhost:8620/v1/changes${path}`, { headers });
}

async function events(service: ObservedService, ...asked: Asked): Promise<FeedReader> {
  return FeedReader.events(await ask(service, ...asked));
}

async function feedsOpen(service: ObservedService): Promise<number> {
  return valueOf(await service.scrape(), "cairn_change_feeds_open");
}

async function untilOpen(service: ObservedService, count: number): Promise<void> {
  let open: number;
  do {
    await turn();
    open = await feedsOpen(service);
  } while (open !== count);
}

/** Three changes: text that expires, bytes, and a delete. */
function writeThree(store: KvStore): void {
  store.setSync("user:a", 'line 1\nline "2"\r\n', { expiresAt: 4_000_000_000_000 });
  store.setSync("b", new Uint8Array([0xff, 0, 10]));
  store.deleteSync("user:a");
}

const CHANGES = [
  {
    version: 1,
    op: "set",
    key: "user:a",
    expiresAt: 4_000_000_000_000,
    value: 'line 1\nline "2"\r\n',
  },
  { version: 2, op: "set", key: "b", value: "/wAK", encoding: "base64" },
  { version: 3, op: "del", key: "user:a" },
];
const WITHOUT_VALUES = CHANGES.map(({ value: _value, encoding: _encoding, ...rest }) => rest);

test("changes: as events, what there is and then live", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  writeThree(service.store);
  const reader = await events(service, "?since=0&values=1");
  assert.deepEqual(await reader.event(), { retry: 1000, id: 0 });
  for (const data of CHANGES) {
    assert.deepEqual(await reader.event(), { id: data.version, event: data.op, data });
  }
  service.store.setSync("c", "");
  const data = { version: 4, op: "set", key: "c", value: "" };
  assert.deepEqual(await reader.event(), { id: 4, event: "set", data });
  await reader.leave();
});

test("changes: as lines, without values unless they are asked for", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  writeThree(service.store);
  const reader = FeedReader.lines(await ask(service, "?since=0", NDJSON));
  assert.deepEqual(await reader.line(), { version: 0 });
  for (const change of WITHOUT_VALUES) assert.deepEqual(await reader.line(), change);
  await reader.leave();
  const some = FeedReader.lines(await ask(service, "?since=1&values=true&prefix=b", NDJSON));
  assert.deepEqual([await some.line(), await some.line()], [{ version: 1 }, CHANGES[1]]);
  await some.leave();
});

test("changes: Accept chooses between events and lines; wait is always a document", async () => {
  await using service = await ObservedService.start();
  const types: [accept: string, type: string][] = [
    ["*/*", "text/event-stream"],
    ["text/event-stream", "text/event-stream"],
    ["application/x-ndjson, text/event-stream;q=0.5", "application/x-ndjson"],
    ["application/x-ndjson;q=0.5, text/event-stream", "text/event-stream"],
  ];
  for (const [accept, type] of types) {
    const { headers, body } = await ask(service, "", { accept });
    assert.equal(headers.get("content-type"), type, accept);
    assert.equal(headers.get("vary"), "accept");
    assert.equal(headers.get("cache-control"), "no-store");
    await body!.cancel();
    const polled = await ask(service, "?wait=0", { accept });
    assert.equal(polled.headers.get("content-type"), "application/json");
    await polled.text();
  }
});

test("changes: since is now unless given; Last-Event-ID wins over it", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  writeThree(service.store);
  const begins: [path: string, headers: HeadersInit, id: number][] = [
    ["", {}, 3],
    ["?since=1", {}, 1],
    ["?since=1", { "last-event-id": "2" }, 2],
    ["?since=1", { "last-event-id": "" }, 1],
    ["", { "last-event-id": "0" }, 0],
  ];
  for (const [path, headers, id] of begins) {
    const reader = await events(service, path, headers);
    assert.equal((await reader.event()).id, id);
    if (id < 3) assert.equal((await reader.event()).id, id + 1);
    await reader.leave();
  }
});

test("changes: what is wrong is named, and nothing is open then", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  writeThree(service.store);
  const wrong: [path: string, headers: HeadersInit, field: string][] = [
    ["?since=-1", {}, "since"],
    ["?since=x", {}, "since"],
    ["?since=4", {}, "since"],
    ["?since=4&wait=1", {}, "since"],
    ["?values=2", {}, "values"],
    ["?wait=51", {}, "wait"],
    ["?wait=0.5", {}, "wait"],
    ["?prefix=%FF", {}, "prefix"],
    ["?live=1", {}, "live"],
    ["?since=1", { "last-event-id": "one" }, "Last-Event-ID"],
    ["?since=1", { "last-event-id": "4" }, "Last-Event-ID"],
  ];
  for (const [path, headers, field] of wrong) {
    await assertProblem(await ask(service, path, headers), 400, "InvalidArgument", field);
  }
  assert.equal(await feedsOpen(service), 0);
});

test("changes: 410 where deletes were compacted away, also for a poll", async () => {
  await using service = await ObservedService.start({ open: MANUAL });
  writeThree(service.store);
  service.store.setSync("d", "1");
  await service.store.compact();
  for (const path of ["?since=0", "?since=0&wait=0", "?since=2&wait=50"]) {
    await assertProblem(await ask(service, path), 410, "Compacted");
  }
  const reader = await events(service, "?since=3");
  assert.deepEqual([(await reader.event()).id, (await reader.event()).id], [3, 4]);
  await reader.leave();
});

test("changes: every 15 s of quiet, a sign of life that says how far the feed has come", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  const { clock, store } = service;
  const reader = await events(service, "?prefix=user:");
  assert.deepEqual(await reader.event(), { retry: 1000, id: 0 });
  const quiet = async (event: unknown, pass = 15_000) => {
    const next = reader.event();
    await until("somebody waits", () => clock.pendingCount() > before);
    clock.advance(pass - 1);
    let isThere = false;
    next.then(() => isThere = true);
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.equal(isThere, false);
    clock.advance(1);
    assert.deepEqual(await next, event);
  };
  const before = clock.pendingCount();
  // What was written is looked at without anybody being told of it, since it lacks the prefix.
  const caughtUp = async () => {
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await quiet({ comment: "" });
  store.setSync("other", "1");
  store.setSync("another", "1");
  await caughtUp();
  await quiet({ id: 2 });
  await quiet({ comment: "" });
  store.setSync("user:a", "1");
  assert.equal((await reader.event()).id, 3);
  await quiet({ comment: "" });
  await reader.leave();

  const lines = FeedReader.lines(await ask(service, "?prefix=user:", NDJSON));
  assert.deepEqual(await lines.line(), { version: 3 });
  store.setSync("other", "2");
  const next = lines.line();
  await caughtUp();
  await until("somebody waits", () => clock.pendingCount() > before);
  clock.advance(15_000);
  assert.deepEqual(await next, { version: 4 });
  const end = lines.next();
  await until("somebody waits", () => clock.pendingCount() > before);
  await lines.leave();
  assert.equal(await end, undefined);
  assert.equal(clock.pendingCount(), before, "no timer is left behind");
});

test("changes: a value over 1 MiB is left out, with its length", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  service.store.setSync("long", new Uint8Array((1 << 20) + 1).fill(97));
  service.store.setSync("just", new Uint8Array(1 << 20).fill(97));
  const { changes } = await (await ask(service, "?since=0&wait=0&values=1")).json();
  assert.deepEqual(changes, [{ version: 1, op: "set", key: "long", size: (1 << 20) + 1 }]);
  const rest = await (await ask(service, "?since=1&wait=0&values=1")).json();
  assert.equal(rest.changes[0].value.length, 1 << 20);
});

test("poll: what there is at once, or nothing; and what to ask for next", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  writeThree(service.store);
  const poll = async (path: string) => await (await ask(service, path)).json();
  assert.deepEqual(await poll("?wait=0"), { changes: [], version: 3 });
  assert.deepEqual(await poll("?wait=50&since=0&values=1"), { changes: CHANGES, version: 3 });
  assert.deepEqual(await poll("?wait=0&since=0&prefix=b"), {
    changes: [WITHOUT_VALUES[1]],
    version: 3,
  });
  assert.deepEqual(await poll("?wait=0&since=0&prefix=x"), { changes: [], version: 3 });
  assert.equal(await feedsOpen(service), 0);
});

test("poll: an answer has at most 1000 changes and about 1 MiB", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  for (let i = 1; i <= 2500; i++) service.store.setSync(`${i}`, "x");
  let since = 0;
  for (const count of [1000, 1000, 500, 0]) {
    const { changes, version } = await (await ask(service, `?wait=0&since=${since}`)).json();
    assert.deepEqual([changes.length, version], [count, since + count]);
    since = version;
  }
  for (let i = 0; i < 5; i++) service.store.setSync(`${i}`, new Uint8Array(400_000).fill(97));
  const lengths: number[] = [];
  for (; since < 2505;) {
    const answer = await ask(service, `?wait=0&values=1&since=${since}`);
    const length = Number(answer.headers.get("content-length"));
    assert(length < 1_100_000);
    const { changes, version } = await answer.json();
    lengths.push(changes.length);
    since = version;
  }
  assert.deepEqual(lengths, [2, 2, 1]);
});

test("poll: waits for the first change that has the prefix, or for its time", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  const { clock, store } = service;
  // The first look at the metrics sets a timer of theirs.
  assert.equal(await feedsOpen(service), 0);
  const timers = clock.pendingCount();
  const found = ask(service, "?wait=30&prefix=user:&values=1");
  await untilOpen(service, 1);
  store.setSync("other", "1");
  store.batchSync([
    { op: "set", key: "user:a", value: "1" },
    { op: "set", key: "user:b", value: "2" },
  ]);
  const { changes, version } = await (await found).json();
  assert.deepEqual(changes.map((change: { key: string }) => change.key), ["user:a", "user:b"]);
  assert.equal(version, 3);

  const vain = ask(service, "?wait=30&prefix=user:");
  await untilOpen(service, 1);
  store.setSync("other", "2");
  clock.advance(29_999);
  await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(await feedsOpen(service), 1);
  clock.advance(1);
  const nothing = await (await vain).json();
  assert.deepEqual(nothing.changes, []);
  assert.equal(clock.pendingCount(), timers, "no timer is left behind");
  assert(nothing.version >= 3, "it may not have come to the last change before it was over");
  assert.equal(await feedsOpen(service), 0);
  assert.deepEqual(service.logger.troubles, []);
});

test("poll: a client that goes away ends it", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  const client = new AbortController();
  const pending = Promise.resolve(service.app.request("http://localhost:8620/v1/changes?wait=50", {
    signal: client.signal,
  })).catch(() => {});
  await untilOpen(service, 1);
  client.abort();
  await untilOpen(service, 0);
  await pending;
});

test("changes: feeds are counted while they last, and no more than so many may be open", async () => {
  await using service = await ObservedService.start({
    open: LAZY,
    app: { changeFeeds: new ChangeFeeds(3) },
  });
  const readers = [await events(service, ""), await events(service, ""), await events(service, "")];
  for (const reader of readers) {
    await reader.event();
    reader.event().catch(() => {});
  }
  await untilOpen(service, 3);
  for (const path of ["", "?wait=0"]) {
    const refused = await ask(service, path);
    assert(Number(refused.headers.get("retry-after")) > 0);
    await assertProblem(refused, 503, "Overloaded");
  }
  assert.equal((await service.ask("PUT", "/v1/kv/a", { body: "1" })).status, 201);
  await readers[0]!.leave();
  await untilOpen(service, 2);
  const head = await service.app.request("http://localhost:8620/v1/changes", { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  const another = await events(service, "");
  for (const reader of [another, ...readers]) await reader.leave();
});

test("changes: with tokens, the one for reading is needed and enough", async () => {
  const [full, readOnly] = [randomBytes(32).toString("hex"), randomBytes(32).toString("hex")];
  const access = new AccessControl({ full, readOnly });
  await using service = await ObservedService.start({ app: { access } });
  for (const path of ["/v1/changes", "/v1/backup"]) {
    const url = `http://localhost:8620${path}`;
    await assertProblem(await service.app.request(url), 401, "Unauthorized");
    const headers = { authorization: `Bearer ${readOnly}` };
    const response = await service.app.request(url, { headers });
    assert.equal(response.status, 200);
    await response.body!.cancel();
  }
});

test("changes: a store that is closed cuts feeds off, without a word in the log", async () => {
  const service = await ObservedService.start({ open: LAZY });
  const reader = await events(service, "");
  await reader.event();
  const next = reader.next();
  next.catch(() => {});
  await service.store.close();
  await assert.rejects(next, (error) => error instanceof KvError && error.code === "Closed");
  assert.deepEqual(service.logger.troubles, []);
  await assertProblem(await ask(service, ""), 503, "Closed");
  assert.equal(await feedsOpen(service), 0);
});

test("changes: a service that stops ends feeds at once, and polls, and takes no new ones", async () => {
  const changeFeeds = new ChangeFeeds();
  await using service = await ObservedService.start({ app: { changeFeeds } });
  const [waiting, idle, leaving] = [
    await events(service, ""),
    await events(service, ""),
    await events(service, ""),
  ];
  await waiting.event();
  const end = waiting.next();
  const poll = ask(service, "?wait=50");
  await idle.event();
  await untilOpen(service, 2);
  changeFeeds.stop();
  assert.equal(changeFeeds.open, 3, "all but the one who waited; the poll has an answer to give");
  await leaving.leave();
  assert.equal(await end, undefined);
  assert.deepEqual(await (await poll).json(), { changes: [], version: 0 });
  assert.equal(await feedsOpen(service), 0);
  assert.equal(changeFeeds.open, 1, "one has not read that it is over");
  assert.equal(await idle.next(), undefined);
  assert.equal(changeFeeds.open, 0);
  await assertProblem(await ask(service, ""), 503, "Closed");
});

test("changes: what fails on the way cuts it off, behind what came before", async () => {
  await using service = await ObservedService.start({ open: LAZY });
  const { store, logger } = service;
  writeThree(store);
  const changes = store.changes.bind(store);
  store.changes = (options) => {
    const feed = changes(options);
    const next = feed.next.bind(feed);
    let remaining = 2;
    feed.next = () =>
      remaining-- > 0 ? next() : Promise.reject(new KvError("CorruptLog", "damaged"));
    return feed;
  };
  const app = createApp(store, { logger });
  const reader = FeedReader.events(await app.request("http://localhost:8620/v1/changes?since=0"));
  for (const id of [0, 1, 2]) assert.equal((await reader.event()).id, id);
  await assert.rejects(reader.next(), /damaged/);
  assert.equal(logger.troubles.length, 1);
  assert.match(logger.troubles[0]!, /^A change feed was cut off/);
});
