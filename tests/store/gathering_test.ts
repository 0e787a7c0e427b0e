/** Group commit waits for writes that may be about to come, but not for long. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { TestClock } from "../support/test_clock.ts";
import { openInMemory, turn } from "../support/test_store.ts";

test("an fsync that took seconds does not let later groups gather for as long", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const clock = new TestClock();
  await using store = await openInMemory({ clock }, fs);
  fs.beforeSyncAsync = fs.beforeSync = () => clock.advance(2000);
  // Eight at once, and then only one of those who wrote.
  await Promise.all(Array.from({ length: 8 }, (_, index) => store.set(`key ${index}`, "1")));
  fs.beforeSyncAsync = fs.beforeSync = () => {};
  let isDone = false;
  const written = [store.set("key 1", "2").then(() => isDone = true)];
  for (let ms = 0; ms < 5 && !isDone; ms++) {
    clock.advance(1);
    // There is always another one, and it is the first that must not wait for all of them.
    for (let turns = 0; turns < 5; turns++) {
      written.push(store.set(`other ${turns}`, "3").then(() => true));
      await turn();
    }
  }
  const inTime = isDone;
  clock.advance(10_000);
  await Promise.all(written);
  assert(inTime, "five milliseconds later it is acknowledged");
});

test("a group waits for no more when nobody has come for some turns of the event loop", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const clock = new TestClock();
  await using store = await openInMemory({ clock }, fs);
  fs.beforeSyncAsync = fs.beforeSync = () => clock.advance(1);
  await Promise.all(Array.from({ length: 8 }, (_, index) => store.set(`key ${index}`, "1")));
  let isDone = false;
  const written = store.set("key 1", "2").then(() => isDone = true);
  // On a core that it shares, others can only come when the event loop lets go of it.
  for (let turns = 0; turns < 40 && !isDone; turns++) await turn();
  const inTime = isDone;
  clock.advance(10);
  await written;
  assert(inTime, "at the same moment it is acknowledged");
});

test("a group takes longer than an fsync to gather while each turn brings much of it", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const clock = new TestClock();
  await using store = await openInMemory({ clock }, fs);
  let syncs = 0;
  fs.beforeSyncAsync = fs.beforeSync = () => {
    syncs++;
    clock.advance(0.125);
  };
  await store.set("key", "1");
  syncs = 0;
  const written: Promise<unknown>[] = [];
  for (let turns = 0; turns < 4; turns++) {
    for (let count = 0; count < 4; count++) written.push(store.set(`key ${turns} ${count}`, "2"));
    clock.advance(0.25);
    await turn();
  }
  await Promise.all(written);
  assert.equal(syncs, 1);
});

test("one slow fsync among many does not make a disk slow, but several in a row do", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const clock = new TestClock();
  await using store = await openInMemory({ clock }, fs);
  let millis = 0.25;
  let isBlocking = false;
  fs.beforeSync = () => {
    isBlocking = true;
    clock.advance(millis);
  };
  fs.beforeSyncAsync = () => {
    isBlocking = false;
    clock.advance(millis);
  };
  const writeGroup = () => Promise.all([store.set("one", "1"), store.set("other", "2")]);
  await writeGroup();
  assert(!isBlocking, "a new disk has to show that it is fast");
  for (let count = 0; count < 64; count++) await writeGroup();
  assert(isBlocking, "it has");
  millis = 10;
  await writeGroup();
  await writeGroup();
  assert(isBlocking, "after one stall");
  for (let count = 0; count < 8; count++) await writeGroup();
  assert(!isBlocking, "after many");
});
