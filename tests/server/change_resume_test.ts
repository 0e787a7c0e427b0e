/** Followers over HTTP that come and go while everything happens to the store, or read slowly. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import type { Change } from "../../lib/mod.ts";
import { ChangeHistory } from "../support/change_follower.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { scanAll, turn } from "../support/test_store.ts";
import { FeedReader } from "./feed_reader.ts";
import { ObservedService } from "./observed_service.ts";

const NDJSON = { accept: "application/x-ndjson" };
const LAZY = { bytes: 1 << 30, millis: 3_600_000 };
const WRITES = 1500;
const RETAINED = 1_000_000;

function toChange({ value, encoding, ...rest }: Record<string, unknown>): Change {
  const change = rest as unknown as Change;
  if (value !== undefined) {
    const bytes = Buffer.from(value as string, encoding === "base64" ? "base64" : "utf8");
    change.value = new Uint8Array(bytes);
  }
  return change;
}

/** One follower: what it has seen, and up to where. */
class Follower {
  readonly copy = new Map<string, Uint8Array>();
  version = 0;
  readonly #history: ChangeHistory;
  readonly #now: () => number;

  constructor(history: ChangeHistory, now: () => number) {
    this.#history = history;
    this.#now = now;
  }

  apply(change: Change): void {
    assert(change.version > this.version, `version ${change.version} comes twice`);
    this.#history.assertWritten(change, this.#now());
    this.passTo(change.version);
    if (change.op === "set") this.copy.set(change.key, change.value!);
    else this.copy.delete(change.key);
  }

  passTo(version: number): void {
    assert(version >= this.version);
    this.#history.assertSuperseded(this.version, version);
    this.version = version;
  }
}

for (const way of ["events", "lines", "polls"] as const) {
  test(`resume: ${way} lose and repeat nothing while the store is written and compacted`, async () => {
    const compaction = { auto: false, retainedVersions: RETAINED };
    await using service = await ObservedService.start({
      open: { durability: LAZY, segmentBytesMax: 16_384, compaction },
    });
    const { store, clock } = service;
    const random = new SeededRandom(7);
    const history = new ChangeHistory();
    const follower = new Follower(history, () => clock.now());
    let isDone = false;

    const write = () => {
      const key = `key ${random.below(40)}`;
      if (random.below(4) === 0 && history.has(key, clock.now())) {
        store.deleteSync(key);
        history.add({ op: "del", key });
      } else {
        const value = random.bytes(random.below(300));
        store.setSync(key, value);
        history.add({ op: "set", key, value });
      }
    };
    const writing = (async () => {
      for (let i = 0; i < WRITES; i++) {
        write();
        if (i % 10 === 0) await turn();
        if (i % 200 === 199) await store.compact();
      }
      isDone = true;
    })();
    const isOver = () => isDone && follower.version === history.version;

    const ask = async (query: string, headers: HeadersInit) =>
      await service.app.request(`http://localhost:8620/v1/changes?values=1${query}`, { headers });
    const visit = async (): Promise<number> => {
      let remaining = random.below(60);
      let seen = 0;
      if (way === "polls") {
        const response = await ask(`&wait=0&since=${follower.version}`, {});
        const { changes, version } = await response.json();
        for (const change of changes) follower.apply(toChange(change));
        follower.passTo(version);
        return changes.length;
      }
      const isLines = way === "lines";
      const reader = isLines
        ? FeedReader.lines(await ask(`&since=${follower.version}`, NDJSON))
        : FeedReader.events(await ask("&since=0", { "last-event-id": `${follower.version}` }));
      while (remaining-- >= 0 && !isOver()) {
        const data = isLines ? await reader.line() : await eventData(reader);
        if (data["op"] === undefined) follower.passTo(data["version"] as number);
        else {
          follower.apply(toChange(data));
          seen++;
        }
      }
      await reader.leave();
      return seen;
    };
    let visits = 0;
    let changes = 0;
    while (!isOver()) {
      changes += await visit();
      visits++;
      await turn();
    }
    await writing;
    assert(visits > 3 && changes > 40, `${visits} visits, ${changes} changes`);
    assert(store.stats().compactions > 0);
    const entries = (await scanAll(store)).map(({ key, value }) => [key, value]);
    assert.deepEqual([...follower.copy].sort(([a], [b]) => a < b ? -1 : 1), entries);
  });
}

async function eventData(reader: FeedReader): Promise<Record<string, unknown>> {
  const { id, data } = await reader.event();
  if (data === undefined) return { version: id };
  assert.equal(data["version"], id);
  return data;
}

test("slow reader: nothing is taken from the feed that was not asked for, but the next change", async () => {
  await using service = await ObservedService.start({ open: { durability: LAZY } });
  const { store, app } = service;
  for (let i = 0; i < 2000; i++) store.setSync(`${i}`, "x".repeat(10_000));
  const changes = store.changes.bind(store);
  let taken = 0;
  let asking = 0;
  let askingMost = 0;
  let isEnded = false;
  store.changes = (options) => {
    const feed = changes(options);
    const { next, return: end } = feed;
    feed.next = () => {
      taken++;
      askingMost = Math.max(askingMost, ++asking);
      return next.call(feed).finally(() => asking--);
    };
    feed.return = () => (isEnded = true, end.call(feed));
    return feed;
  };
  const url = "http://localhost:8620/v1/changes?since=0&values=1";
  const reader = (await app.request(url)).body!.getReader();
  let byteLength = (await reader.read()).value!.length;
  assert.equal(taken, 0, "the beginning needs no change");
  for (let chunks = 1; chunks <= 5; chunks++) {
    const { value } = await reader.read();
    byteLength += value!.length;
    assert(value!.length < 80_000);
    // A chunk may be shorter where the feed had to read the disk first.
    assert(taken * 10_000 < byteLength + 20_000, `${taken} changes for ${byteLength} bytes`);
  }
  const before = taken;
  for (let i = 0; i < 20; i++) await turn();
  assert.equal(taken, before);
  assert.equal(askingMost, 1, "there is never more than one on its way");
  await reader.cancel();
  assert(isEnded);
});
