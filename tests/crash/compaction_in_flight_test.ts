/** Compaction beside writes that are in the log, in segments closed meanwhile, but not yet visible. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { mustOpen, read } from "../support/store_outcome.ts";
import { openInMemory, turn, until } from "../support/test_store.ts";

const TURNS = 100;

test("segments closed while compaction begins are left alone until their records are visible", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  const state: Record<string, string> = {};
  const set = (key: string, value: string) => {
    state[key] = value;
    return store.set(key, value);
  };
  // All alive, and with few marks: compaction has no reason to begin with older segments.
  for (let first = 0; first < 30; first += 10) {
    const keys = Array.from({ length: 10 }, (_, index) => `key ${first + index}`);
    for (const key of keys) state[key] = key.padEnd(300);
    await store.batch(keys.map((key) => ({ op: "set", key, value: state[key]! })));
  }
  for (let turns = 0; turns < TURNS; turns++) await turn();

  // Two writes wait for an fsync, and compaction for the two.
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const writes: Promise<unknown>[] = [set("x", "1"), set("y", "2")];
  await until("an fsync is under way", () => gate.waiting > 0);
  const compaction = store.compact();
  for (let turns = 0; turns < 3; turns++) await turn();

  // Meanwhile others fill segments, in every turn, so that some are in flight whenever it looks. They
  // supersede nothing, or it would begin with older segments.
  fs.beforeSyncAsync = () => turn();
  for (let turns = 0; turns < 20; turns++) {
    for (let index = 0; index < 30; index++) {
      writes.push(set(`later ${turns} ${index}`, `${index}`.padEnd(300)));
    }
    if (turns === 0) gate.open();
    await turn();
  }

  await Promise.all([compaction, ...writes]);
  assert.deepEqual((await read(store)).state, state);
  await store.close();
  assert.deepEqual((await mustOpen(base)).state, state);
});

test("what was written before the call is compacted, though nobody waited for it", async () => {
  const store = await openInMemory();
  const writes = Array.from({ length: 40 }, (_, index) => store.set("key", `${index}`.padEnd(300)));
  await store.compact();
  await Promise.all(writes);
  const { totalBytes } = store.stats();
  assert(totalBytes < 1000, `${totalBytes} bytes`);
  await store.close();
});
