/** The short way of requests about one key: nobody can tell it from the long one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/mod.ts";
import { createApp, type StoreApi, Telemetry } from "../../lib/server/http/mod.ts";
import { BodyMemory } from "../../lib/server/http/body_memory.ts";
import { receiveSmall } from "../../lib/server/http/request_body.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { TestClock } from "../support/test_clock.ts";
import { openInMemory } from "../support/test_store.ts";

type App = ReturnType<typeof createApp>;

/** The same store without the short way. */
function withoutDirect(store: KvStore): StoreApi {
  return Object.defineProperty(store, "direct", { value: undefined });
}

interface Subject extends AsyncDisposable {
  store: KvStore;
  app: App;
  counts(): Promise<string[]>;
}

async function open(isDirect: boolean, fs = new FaultyFileSystem(new MemoryFileSystem())) {
  const telemetry = new Telemetry();
  const clock = new TestClock();
  const store = await openInMemory({ clock, valueBytesMax: 40_000 }, fs);
  const app = createApp(isDirect ? store : withoutDirect(store), { telemetry, valueBytesMax: 900 });
  return {
    store,
    app,
    async counts() {
      const metrics = await (await app.request("http://localhost/metrics")).text();
      return metrics.split("\n").filter((line) =>
        /^cairn_(?:operations|http_(?:request|response)_bytes)_total/.test(line)
      );
    },
    [Symbol.asyncDispose]: () => store.close().catch(() => {}),
  } satisfies Subject;
}

/** Everything that a client sees of an answer. */
async function seen(answer: Response | Promise<Response>): Promise<unknown[]> {
  const response = await answer;
  // Ids that the service makes up are different each time.
  const headers = [...response.headers].filter(([name, value]) =>
    name !== "x-request-id" || value === "mine"
  );
  return [response.status, headers.sort(), await response.text()];
}

const KEYS = [
  "plain",
  "a%3Ab",
  "a%3ab",
  "a/b%2Fc",
  "sp%20ace",
  "%00",
  "plus+",
  "%C3%BC",
  "%E2%82",
  "%zz",
  "%4",
  "%",
  "%-1",
  "",
  "..",
  "k".repeat(256),
  "k".repeat(257),
  "plain?ttl=60",
  "plain?ttl=x",
  "plain?",
];

/** What requests are tried with. */
const HEADERS: Record<string, string>[] = [
  {},
  { "if-match": "*" },
  { "if-match": '"1"' },
  { "if-none-match": "*" },
  { "if-none-match": '"7"' },
  { range: "bytes=1-2" },
  { "content-encoding": "gzip" },
  { "content-range": "bytes 0-1/2" },
  { "x-request-id": "mine" },
];

function ask(app: App, method: string, key: string, headers = {}, body?: string) {
  const length = body === undefined ? {} : { "content-length": String(body.length) };
  const init = { method, headers: { ...headers, ...length }, ...(body !== undefined && { body }) };
  return app.request(`http://localhost:8620/v1/kv/${key}`, init);
}

test("the short way answers, stores and counts as the long one does", async () => {
  await using short = await open(true);
  await using long = await open(false);
  const both = async (method: string, key: string, headers?: object, body?: string) => {
    const expected = await seen(ask(long.app, method, key, headers, body));
    const actual = await seen(ask(short.app, method, key, headers, body));
    assert.deepEqual(actual, expected, `${method} ${key} ${JSON.stringify(headers)}`);
  };
  for (const headers of HEADERS) {
    for (const [index, key] of KEYS.entries()) {
      await both("GET", key, headers);
      await both("PUT", key, headers, `value ${index}`);
      await both("GET", key, headers);
      await both("PUT", key, headers, "");
      await both("HEAD", key, headers);
    }
  }
  await both("PUT", "long", {}, "v".repeat(900));
  await both("PUT", "long", {}, "v".repeat(901));
  await both("GET", "long");
  for (const { store } of [short, long]) {
    await store.set("longer", "v".repeat(40_000));
    await store.set("until", "later", { ttl: 5000 });
  }
  await both("GET", "longer");
  await both("GET", "until");
  await both("GET", "plain");
  await both("DELETE", "plain");
  await both("PUT", "plain", {}, "back");
  assert.equal(short.store.stats().version, long.store.stats().version);
  assert.deepEqual(await short.counts(), await long.counts());
});

test("an answer keeps its bytes and headers while others are made", async () => {
  await using short = await open(true);
  for (const value of ["one", "second"]) await ask(short.app, "PUT", value, {}, value);
  const [first, second] = await Promise.all([
    ask(short.app, "GET", "one"),
    ask(short.app, "GET", "second"),
  ]);
  assert.deepEqual([first.headers.get("etag"), first.headers.get("content-length")], ['"1"', "3"]);
  assert.deepEqual([await second.text(), await first.text()], ["second", "one"]);
});

test("a write that fails is answered and counted as it is by the long way", async () => {
  const failing = async (isDirect: boolean) => {
    const fs = new FaultyFileSystem(new MemoryFileSystem());
    await using subject = await open(isDirect, fs);
    await ask(subject.app, "PUT", "a", {}, "1");
    fs.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
    const answers = [
      await seen(ask(subject.app, "PUT", "a", {}, "2")),
      await seen(ask(subject.app, "PUT", "a", {}, "3")),
      await seen(ask(subject.app, "GET", "a")),
    ];
    return [answers, await subject.counts()];
  };
  const [answers, counts] = await failing(true);
  assert.deepEqual((answers as unknown[][]).map(([status]) => status), [503, 503, 200]);
  assert.deepEqual([answers, counts], await failing(false));
});

test("a small body that comes too late is refused, and never received", async () => {
  const clock = new TestClock();
  const bodies = new BodyMemory({ receiveMs: 1000 }, clock);
  let end = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      end = () => {
        controller.enqueue(new Uint8Array(3));
        controller.close();
      };
    },
  });
  const init = { method: "PUT", body, duplex: "half" };
  const request = new Request("http://localhost/", init as RequestInit);
  const told: string[] = [];
  receiveSmall(request, 3, () => told.push("received"), ({ code }) => told.push(code), bodies);
  clock.advance(2000);
  assert.deepEqual(told, ["RequestTimeout"]);
  end();
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(told, ["RequestTimeout"]);
  assert.equal(bodies.arriving, 0);
});
