/** Writes that tell a listener what became of them, instead of making a promise. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore, WriteListener } from "../../lib/mod.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { LAZY, openInMemory, text, turn, until } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

/** Notes what it is told, in order. */
class Notes {
  readonly told: string[] = [];

  listener(name: string, then: () => void = () => {}): WriteListener {
    return {
      written: (version, created) => {
        this.told.push(`${name} ${version}${created ? " created" : ""}`);
        then();
      },
      failed: (error) => {
        assert(error instanceof KvError);
        this.told.push(`${name} ${error.code}`);
      },
    };
  }
}

test("a group is told at once, in order, when it is durable and visible", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const notes = new Notes();
  let afterwards: string[] | undefined;
  const seen = () => {
    assert.equal(text(store.getSync("c")), "3");
    queueMicrotask(() => afterwards ??= [...notes.told]);
  };
  store.setTelling("a", "1", undefined, notes.listener("a", seen));
  store.setTelling("a", "2", undefined, notes.listener("a again"));
  store.deleteTelling("a", undefined, notes.listener("delete"));
  store.setTelling("c", "3", undefined, notes.listener("c"));
  await until("the fsync has begun", () => gate.waiting > 0);
  await turn();
  assert.deepEqual(notes.told, []);
  gate.open();
  await until("all is told", () => notes.told.length === 4);
  assert.deepEqual(notes.told, ["a 1 created", "a again 2", "delete 3", "c 4 created"]);
  assert.deepEqual(afterwards, notes.told, "the microtask of the first runs behind the last");
});

test("a listener may write again, and its write is told too", async () => {
  await using store = await openInMemory();
  const notes = new Notes();
  let left = 100;
  const again = () => {
    if (--left > 0) store.setTelling("n", `${left}`, undefined, notes.listener("n", again));
    else store.setSync("n", "done");
  };
  again();
  await until("all is told", () => text(store.getSync("n")) === "done");
  assert.equal(notes.told.length, 99);
  assert.equal(notes.told.at(-1), "n 99");
});

test("a refused write is told of it, once what it was refused for is durable", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const notes = new Notes();
  store.setTelling("a", "1", undefined, notes.listener("first"));
  store.setTelling("b", "1", undefined, notes.listener("second"));
  store.setTelling("a", "2", { ifAbsent: true }, notes.listener("refused"));
  await until("the fsync has begun", () => gate.waiting > 0);
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual(notes.told, []);
  gate.open();
  await until("all is told", () => notes.told.length === 3);
  assert.deepEqual(notes.told, ["first 1 created", "second 2 created", "refused ConditionFailed"]);
  const later = async (write: (listener: WriteListener) => void, told: string) => {
    const { length } = notes.told;
    write(notes.listener("late"));
    await until("it is told", () => notes.told.length > length);
    assert.equal(notes.told.at(-1), told);
  };
  await later((to) => store.deleteTelling("none", undefined, to), "late NotFound");
  await later((to) => store.setTelling("", "1", undefined, to), "late InvalidKey");
  await later((to) => store.deleteTelling("a", { ifVersion: 7 }, to), "late ConditionFailed");
  await store.close();
  await later((to) => store.setTelling("a", "1", undefined, to), "late Closed");
});

for (const durability of ["immediate", LAZY] as const) {
  const name = durability === "immediate" ? "immediate" : "batched";
  test(`${name}: a failed fsync is told to all whom it concerns`, async () => {
    const fs = new InterceptingFileSystem(new MemoryFileSystem());
    const store: KvStore = await openInMemory({ durability }, fs);
    await store.set("a", "1");
    fs.beforeSyncAsync = fs.beforeSync = () => {
      throw new Error("the disk is gone");
    };
    const notes = new Notes();
    store.setTelling("a", "2", undefined, notes.listener("first"));
    store.deleteTelling("a", undefined, notes.listener("second"));
    await assert.rejects(store.flush());
    store.setTelling("b", "1", undefined, notes.listener("third"));
    await until("all is told", () => notes.told.length === 3);
    const expected = durability === "immediate"
      ? ["first Io", "second Io", "third Io"]
      : ["first 2", "second 3", "third Io"];
    assert.deepEqual(notes.told, expected);
    await store.close().catch(() => {});
  });
}

test("batched: told at once, unless too much waits for the disk", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const durability = { bytes: 4096, millis: 3_600_000 };
  await using store = await openInMemory({ durability, clock: new TestClock() }, fs);
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const notes = new Notes();
  store.setTelling("a", new Uint8Array(5000), undefined, notes.listener("a"));
  store.deleteTelling("a", undefined, notes.listener("delete"));
  assert.deepEqual(notes.told, ["a 1 created", "delete 2"]);
  store.setTelling("b", new Uint8Array(5000), undefined, notes.listener("b"));
  await until("an fsync has begun", () => gate.waiting === 1);
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual(notes.told, ["a 1 created", "delete 2"]);
  gate.open();
  await until("it is told", () => notes.told.length === 3);
  assert.equal(notes.told[2], "b 3 created");
});
