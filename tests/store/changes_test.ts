/** changes: what a feed hands out, from where on, and of which keys. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { ChangesOptions } from "../../lib/store/types.ts";
import { takeAll } from "../support/change_follower.ts";
import { failsWith, throwsAtOnce } from "../support/kv_error.ts";
import { DURABILITIES, openInMemory, pattern, text, turn } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

async function versions(store: KvStore, options: ChangesOptions): Promise<number[]> {
  return (await takeAll(store, options)).map(({ version }) => version);
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: every kind of write is a change, in the order of the versions`, async () => {
    const clock = new TestClock({ nowMs: 1000 });
    await using store = await openInMemory({ durability, clock });
    await store.set("a", "1");
    await store.set("é", "", { ttl: 500 });
    await store.batch([
      { op: "set", key: "b", value: "2" },
      { op: "del", key: "a" },
      { op: "del", key: "never was" },
      { op: "set", key: "b", value: "3", expiresAt: 9000 },
    ]);
    await store.delete("b");
    assert.deepEqual(await takeAll(store, { since: 0 }), [
      { version: 1, op: "set", key: "a", value: new TextEncoder().encode("1") },
      { version: 2, op: "set", key: "é", value: new Uint8Array(0), expiresAt: 1500 },
      { version: 3, op: "set", key: "b", value: new TextEncoder().encode("2") },
      { version: 4, op: "del", key: "a" },
      { version: 5, op: "del", key: "never was" },
      { version: 6, op: "set", key: "b", value: new TextEncoder().encode("3"), expiresAt: 9000 },
      { version: 7, op: "del", key: "b" },
    ]);
    clock.advance(10_000);
    assert.equal(store.size, 0);
    assert.equal((await takeAll(store, { since: 0 })).length, 7, "an expiry is no change");
  });

  test(`${name}: a feed goes on behind any version, also in the midst of a batch`, async () => {
    const fs = new MemoryFileSystem();
    const options = { durability, segmentBytesMax: 4096 };
    const store = await openInMemory(options, fs);
    for (let i = 0; i < 20; i++) {
      await store.set(`single ${i}`, pattern(300, i));
      await store.batch(["x", "y", "z"].map((key) => ({ op: "set", key, value: `${i}` })));
    }
    const check = async (store: KvStore) => {
      assert(store.stats().segments > 2);
      for (let since = 0; since <= 80; since++) {
        const expected = Array.from({ length: 80 - since }, (_, i) => since + 1 + i);
        assert.deepEqual(await versions(store, { since }), expected, `since ${since}`);
      }
    };
    await check(store);
    await store.close();
    await using again = await openInMemory(options, fs);
    await check(again);
  });

  test(`${name}: values of all lengths, in the file and in the buffer, are the caller's own`, async () => {
    await using store = await openInMemory({ durability, segmentBytesMax: 1 << 20 });
    const lengths = [0, 1, 65_000, 65_500, 65_536, 70_000, 10, 200_000, 1_500_000, 20, 131_072];
    for (const [i, length] of lengths.entries()) {
      await store.set("key", pattern(length, i));
      if (i === 5) await store.flush();
    }
    const changes = await takeAll(store, { since: 0 });
    changes.forEach(({ value }, i) => assert.deepEqual(value, pattern(lengths[i]!, i), `${i}`));
    for (const { value } of changes) value!.fill(0xee);
    const again = await takeAll(store, { since: 0 });
    again.forEach(({ value }, i) => assert.deepEqual(value, pattern(lengths[i]!, i), `${i}`));
  });

  test(`${name}: only keys with the prefix, and the feed's version moves on by the others`, async () => {
    await using store = await openInMemory({ durability });
    for (const key of ["a", "ab", "abc", "b", "é", "è", "a\u0000"]) await store.set(key, "c");
    await store.delete("ab");
    await store.set("b", "2");
    const keys = async (prefix: string | Uint8Array) =>
      (await takeAll(store, { since: 0, prefix })).map(({ key }) => key);
    assert.deepEqual(await keys(""), ["a", "ab", "abc", "b", "é", "è", "a\u0000", "ab", "b"]);
    assert.deepEqual(await keys("ab"), ["ab", "abc", "ab"]);
    assert.deepEqual(await keys("abcd"), []);
    // The first byte of both: a prefix need not be a whole character.
    assert.deepEqual(await keys(Uint8Array.of(0xc3)), ["é", "è"]);
    const feed = store.changes({ since: 0, prefix: "abc", live: false });
    assert.equal(feed.version, 0);
    assert.equal((await feed.next()).value?.version, 3);
    assert.equal(feed.version, 3);
    assert.equal((await feed.next()).done, true);
    assert.equal(feed.version, 9);
  });
}

test("values: false leaves the values out, and nothing else", async () => {
  await using store = await openInMemory({ clock: new TestClock({ nowMs: 1000 }) });
  await store.set("a", "1", { ttl: 5 });
  await store.set("b", pattern(100_000));
  await store.delete("b");
  assert.deepEqual(await takeAll(store, { since: 0, values: false }), [
    { version: 1, op: "set", key: "a", expiresAt: 1005 },
    { version: 2, op: "set", key: "b" },
    { version: 3, op: "del", key: "b" },
  ]);
});

test("without since, a feed begins with what is written after the call", async () => {
  await using store = await openInMemory();
  await store.set("before", "1");
  const feed = store.changes();
  assert.equal(feed.version, 1);
  await store.set("after", "2");
  assert.equal((await feed.next()).value?.key, "after");
  await feed.return();
});

test("live: false ends with what was there when it was opened", async () => {
  await using store = await openInMemory();
  await store.set("a", "1");
  const feed = store.changes({ since: 0, live: false });
  await store.set("b", "2");
  assert.equal((await feed.next()).value?.key, "a");
  assert.deepEqual(await feed.next(), { done: true, value: undefined });
  assert.deepEqual(await feed.next(), { done: true, value: undefined });
  assert.deepEqual(await versions(store, { since: 2 }), []);
});

test("readOnly: everything up to the moment of opening, and then the end", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let i = 0; i < 30; i++) await store.set(`${i}`, pattern(400, i));
  await using copy = await openInMemory({ readOnly: true }, fs);
  await store.set("later", "1");
  await store.compact();
  for (const live of [true, false]) {
    const seen = await versions(copy, { since: 3, live });
    assert.deepEqual(seen, Array.from({ length: 27 }, (_, i) => i + 4));
  }
  assert.deepEqual(await versions(copy, { live: true }), []);
  throwsAtOnce("InvalidArgument", /at version 30 only/, () => copy.changes({ since: 31 }));
});

test("a feed over a long log lets others have their turn", async () => {
  // A clock on which every look at it takes a millisecond.
  const clock = new TestClock();
  let elapsedMs = 0;
  clock.monotonic = () => elapsedMs++;
  await using store = await openInMemory({ durability: { bytes: 1 << 30, millis: 1000 }, clock });
  for (let i = 0; i < 5000; i++) store.setSync(`${i}`, "1");
  let turns = 0;
  let reading = true;
  const reader = takeAll(store, { since: 0, prefix: "499" }).then((changes) => {
    reading = false;
    return changes.length;
  });
  while (reading) {
    await turn();
    turns++;
  }
  assert.equal(await reader, 11);
  assert(turns > 20, `${turns} turns`);
});

const wrongOptions: [options: unknown, message: RegExp][] = [
  [null, /Options are null: pass an object/],
  [{ from: 1 }, /Option from does not exist here: the options are since, prefix, values, live/],
  ...[-1, 1.5, NaN, "1", null].map((since): [unknown, RegExp] => [
    { since },
    /Option since is .+: it must be a version, or 0 for the beginning/,
  ]),
  [{ since: 2 }, /since is 2, but the store is at version 1 only.*start again from a scan/],
  [{ values: 1 }, /Option values is 1: it must be true or false/],
  [{ live: "no" }, /Option live is "no": it must be true or false/],
  [{ prefix: 5 }, /A bound is 5: prefix/],
  [{ signal: {} }, /Option signal is an object: it must be an AbortSignal/],
];

for (const [options, message] of wrongOptions) {
  test(`options ${JSON.stringify(options)} are refused before anything is read`, async () => {
    await using store = await openInMemory();
    await store.set("a", "1");
    throwsAtOnce("InvalidArgument", message, () => store.changes(options as ChangesOptions));
  });
}

test("a closed store has no changes", async () => {
  const store = await openInMemory();
  await store.set("a", "1");
  const feed = store.changes({ since: 0 });
  await store.close();
  await failsWith("Closed", /is closed/, () => feed.next());
  throwsAtOnce("Closed", /is closed/, () => store.changes());
});

test("what a text was set to comes back as its bytes", async () => {
  await using store = await openInMemory();
  await store.set(new TextEncoder().encode("key"), "höher");
  const [change] = await takeAll(store, { since: 0 });
  assert.equal(change?.key, "key");
  assert.equal(text(change?.value), "höher");
});
