/** The short way of servers into a store: it does what the store's methods do, or leaves it to them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { type KvError, type KvStore, NOT_DIRECT } from "../../lib/mod.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { throwsAtOnce } from "../support/kv_error.ts";
import { TestClock } from "../support/test_clock.ts";
import { DURABILITIES, openInMemory, text, turn, until } from "../support/test_store.ts";

const encoder = new TextEncoder();
const FEW_BYTES = { bytes: 4096, millis: 60_000 };

/** Sets a key by the short way, from within other bytes. */
function set(store: KvStore, key: string, value: string): number {
  const bytes = encoder.encode(`<${key}|${value}>`);
  const keyEnd = 1 + encoder.encode(key).length;
  return store.direct.set(bytes, 1, keyEnd, keyEnd + 1, bytes.length - 1);
}

/** Sets until one is not acknowledged at once, and returns its version. */
function setUntilOneWaits(store: KvStore): number {
  for (;;) {
    const version = set(store, "b", "v".repeat(1000));
    if (version !== store.direct.acknowledged) return version;
  }
}

/** The address of a key, looked for from within other bytes. */
function find(store: KvStore, key: string): number {
  const bytes = encoder.encode(`<${key}>`);
  return store.direct.find(bytes, 1, bytes.length - 1);
}

/** Reads a key by the short way. */
function get(store: KvStore, key: string): string | undefined {
  const { direct } = store;
  const address = find(store, key);
  assert.notEqual(address, NOT_DIRECT);
  if (address === 0) return undefined;
  const length = direct.valueLength(address);
  const target = new Uint8Array(length + 5);
  direct.copyValue(address, target, 3);
  assert.deepEqual([...target.subarray(0, 3), ...target.subarray(length + 3)], [0, 0, 0, 0, 0]);
  return text(target.subarray(3, length + 3));
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: what is set by the short way is what the store has, and the other way round`, async () => {
    const fs = new MemoryFileSystem();
    {
      await using store = await openInMemory({ durability }, fs);
      assert.equal(set(store, "a", "1"), 1);
      assert.equal(set(store, "b", ""), 2);
      await store.set("ü", "3");
      assert.equal(set(store, "a", "x".repeat(70_000)), 4);
      assert.equal(store.direct.acknowledged, durability === "immediate" ? 3 : 4);
      await store.flush();
      assert.equal(store.direct.acknowledged, 4);
      assert.equal(get(store, "a"), "x".repeat(70_000));
      assert.deepEqual([get(store, "b"), get(store, "ü"), get(store, "c")], ["", "3", undefined]);
      assert.equal((await store.getEntry("a"))?.version, 4);
    }
    await using store = await openInMemory({ durability }, fs);
    assert.deepEqual([get(store, "b"), get(store, "ü")], ["", "3"]);
    assert.equal(text(await store.get("a")), "x".repeat(70_000));
  });
}

test("a set by the short way counts as done when its fsync has returned, of which the bell tells", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const versions = [set(store, "a", "1"), set(store, "b", "2")];
  let rings = 0;
  store.direct.wait(() => rings++);
  await until("the fsync has begun", () => gate.waiting > 0);
  await turn();
  assert.deepEqual(versions, [1, 2]);
  assert.equal(store.direct.acknowledged, 0);
  assert.equal(get(store, "a"), undefined);
  assert.equal(rings, 0);
  gate.open();
  await until("it is acknowledged", () => store.direct.acknowledged === 2);
  assert.equal(rings, 1);
  assert.equal(get(store, "a"), "1");
});

test("batched: a set that has no room waits for the fsync that makes it", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({ durability: FEW_BYTES }, fs);
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const version = setUntilOneWaits(store);
  let rings = 0;
  store.direct.wait(() => rings++);
  await until("the fsync has begun", () => gate.waiting > 0);
  await turn();
  assert.equal(rings, 0);
  assert.equal(store.direct.acknowledged, version - 1);
  gate.open();
  await until("it is acknowledged", () => store.direct.acknowledged === version);
  assert.equal(rings, 1);
});

for (const [name] of DURABILITIES) {
  test(`${name}: after a failed fsync nothing more is acknowledged or set, and the bell rings`, async () => {
    const fs = new FaultyFileSystem(new MemoryFileSystem());
    const store = await openInMemory(name === "immediate" ? {} : { durability: FEW_BYTES }, fs);
    set(store, "a", "1");
    await store.flush();
    fs.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
    const version = setUntilOneWaits(store);
    let rings = 0;
    store.direct.wait(() => rings++);
    await until("the bell has rung", () => rings > 0);
    assert.equal(store.direct.failure?.code, "Io");
    assert.equal(store.direct.acknowledged, version - 1);
    assert.equal(set(store, "c", "3"), NOT_DIRECT);
    assert.equal(get(store, "a"), "1");
    await store.close().catch(() => {});
  });
}

test("a set can have a listener of its own, who is told once what became of it", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  const store = await openInMemory({}, fs);
  const told: unknown[] = [];
  const listener = {
    written: (version: number, created: boolean) => void told.push([version, created]),
    failed: (error: unknown) => void told.push((error as KvError).code),
  };
  const key = encoder.encode("<a>");
  const setFor = (value: string) => store.direct.setFor(listener, key, 1, 2, encoder.encode(value));
  assert.equal(setFor("1"), 1);
  assert.deepEqual(told, []);
  await until("it is durable", () => told.length === 1);
  assert.equal(setFor("2"), 2);
  await store.flush();
  assert.deepEqual(told, [[1, true], [2, false]]);
  assert.equal(get(store, "a"), "2");
  const address = find(store, "a");
  assert.deepEqual([store.direct.version(address), store.direct.expiresAt(address)], [2, 0]);
  fs.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
  assert.equal(setFor("3"), 3);
  await until("it has failed", () => told.length === 3);
  assert.equal(told[2], "Io");
  assert.equal(setFor("4"), NOT_DIRECT);
  await store.close().catch(() => {});
  assert.equal(told.length, 3);

  await using batched = await openInMemory({ durability: FEW_BYTES });
  assert.equal(batched.direct.setFor(listener, key, 1, 2, key), NOT_DIRECT);
  assert.equal(batched.stats().version, 0);
});

test("what the short way does not do it leaves to the store, with nothing done", async () => {
  const clock = new TestClock();
  const fs = new MemoryFileSystem();
  const options = { clock, keyBytesMax: 10, valueBytesMax: 10 };
  const store = await openInMemory(options, fs);
  const long = "k".repeat(11);
  assert.deepEqual(
    [find(store, ""), find(store, long), find(store, "ü")],
    Array(3).fill(NOT_DIRECT),
  );
  assert.equal(set(store, "", "1"), NOT_DIRECT);
  assert.equal(set(store, long, "1"), NOT_DIRECT);
  assert.equal(set(store, "ü", "1"), NOT_DIRECT);
  assert.equal(set(store, "k", "v".repeat(11)), NOT_DIRECT);
  assert.equal(store.stats().version, 0);
  assert.equal(store.stats().writesInFlight, 0);
  await store.set("short", "lived", { ttl: 1000 });
  assert.equal(get(store, "short"), "lived");
  clock.advance(1000);
  assert.equal(find(store, "short"), 0);
  await store.close();
  assert.deepEqual([find(store, "k"), set(store, "k", "v")], [NOT_DIRECT, NOT_DIRECT]);
  await using readOnly = await openInMemory({ ...options, readOnly: true }, fs);
  assert.equal(set(readOnly, "k", "v"), NOT_DIRECT);
  assert.equal(find(readOnly, "k"), 0);
});

test("a value that cannot be read is an error by the short way too", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  await store.set("a", "1");
  await store.set("b", "2");
  const address = find(store, "a");
  fs.fail = ({ what }) => what === "read" ? "EIO" : undefined;
  const copy = () => store.direct.copyValue(address, new Uint8Array(9), 0);
  throwsAtOnce("Io", /reading|read/i, copy);
});
