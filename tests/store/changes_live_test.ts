/** Live feeds: when they learn of a write, how they end, and what they cost meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { File, OpenMode } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { Change } from "../../lib/store/types.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import {
  DURABILITIES,
  LAZY,
  logNames,
  openInMemory,
  pattern,
  segmentIds,
  turn,
  until,
} from "../support/test_store.ts";

/** Keeps what a feed hands out. */
async function collect(feed: AsyncIterable<Change>, into: number[]): Promise<void> {
  for await (const { version } of feed) into.push(version);
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

function upTo(version: number): number[] {
  return Array.from({ length: version }, (_, i) => i + 1);
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: all followers get every write once, in order, across segments`, async () => {
    const store = await openInMemory({ durability, segmentBytesMax: 4096 });
    const seen = Array.from({ length: 4 }, (): number[] => []);
    const ends = seen.map((versions) => collect(store.changes(), versions));
    for (let i = 0; i < 40; i++) {
      await store.set(`${i}`, pattern(300, i));
      store.setSync(`${i} at once`, "1");
      void store.batch([{ op: "del", key: `${i}` }, { op: "set", key: "x", value: `${i}` }]);
      if (i % 7 === 0) await turn();
    }
    await until("all have seen all", () => seen.every((versions) => versions.length >= 160));
    await turns(3);
    for (const versions of seen) assert.deepEqual(versions, upTo(160));
    assert(store.stats().segments > 2);
    const closed = Promise.all(ends.map((end) => failsWith("Closed", /is closed/, () => end)));
    await store.close();
    await closed;
  });

  test(`${name}: aborting ends a feed that waits, one that does not, and one not begun`, async () => {
    await using store = await openInMemory({ durability });
    await store.set("a", "1");
    await store.set("b", "2");
    const waiting = new AbortController();
    const seen: number[] = [];
    const end = collect(store.changes({ since: 0, signal: waiting.signal }), seen);
    await until("it waits", () => seen.length === 2);
    await turns(2);
    waiting.abort();
    await end;
    const reading = new AbortController();
    const feed = store.changes({ since: 0, signal: reading.signal });
    await feed.next();
    reading.abort();
    assert.deepEqual(await feed.next(), { done: true, value: undefined });
    const signal = AbortSignal.abort();
    assert.equal((await store.changes({ since: 0, signal }).next()).done, true);
  });

  test(`${name}: return ends a feed at once, also while it waits`, async () => {
    await using store = await openInMemory({ durability });
    const feed = store.changes();
    const next = feed.next();
    await turns(2);
    assert.deepEqual(await feed.return(), { done: true, value: undefined });
    assert.deepEqual(await next, { done: true, value: undefined });
    await store.set("a", "1");
    assert.equal((await feed.next()).done, true);
    {
      await using disposed = store.changes({ since: 0 });
      assert.equal((await disposed.next()).value?.key, "a");
    }
    for await (const { version } of store.changes({ since: 0 })) {
      assert.equal(version, 1);
      break;
    }
  });
}

test("immediate: nothing is shown before the fsync that covers it, and batches are whole", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const gate = new Gate();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  await store.set("a", "old");
  fs.beforeSyncAsync = () => gate.pass();
  const seen: number[] = [];
  const leave = new AbortController();
  const { signal } = leave;
  const end = collect(store.changes({ since: 0, signal }), seen);
  const batch = ["b", "c", "d"].map((key) => ({ op: "set", key, value: "1" }) as const);
  const writes = [store.set("a", "new"), store.batch(batch), store.delete("a")];
  await until("the fsync has begun", () => gate.waiting > 0);
  // Those come while it runs, and are in flight behind it.
  writes.push(store.set("e", "1"), store.batch(batch));
  await turns(5);
  assert.deepEqual(seen, [1]);
  const late: number[] = [];
  await collect(store.changes({ since: 0, live: false }), late);
  assert.deepEqual(late, [1], "nor to one who comes later");
  gate.open();
  await Promise.all(writes);
  await until("all is seen", () => seen.length === 10);
  assert.deepEqual(seen, upTo(10));
  leave.abort();
  await end;
});

test("immediate: what a failed fsync takes back was never shown", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const store = await openInMemory({}, fs);
  await store.set("a", "1");
  const seen: number[] = [];
  const end = collect(store.changes({ since: 0 }), seen);
  fs.beforeSync = fs.beforeSyncAsync = () => {
    throw new Error("the disk is gone");
  };
  await Promise.allSettled([store.set("a", "2"), store.set("b", "2")]);
  await turns(5);
  assert.deepEqual(seen, [1]);
  const closed = failsWith("Closed", /is closed/, () => end);
  await store.close();
  await closed;
});

test("batched: a write is shown before it is durable or even in the file", async () => {
  await using store = await openInMemory({ durability: LAZY });
  const feed = store.changes();
  const next = feed.next();
  await turns(2);
  store.setSync("a", "1");
  assert.equal((await next).value?.key, "a");
  assert.equal(store.stats().durableVersion, 0);
  await feed.return();
});

/** Counts descriptors, and bytes read. */
class CountingFileSystem extends InterceptingFileSystem {
  open_ = new Set<File>();
  bytesRead = 0;

  override open(path: string, mode: OpenMode): File {
    const file = super.open(path, mode);
    const { read, close } = file;
    file.read = (...range) => {
      const count = read(...range);
      this.bytesRead += count;
      return count;
    };
    file.close = () => {
      this.open_.delete(file);
      close();
    };
    this.open_.add(file);
    return file;
  }
}

test("a follower that stops for good holds no file: compaction closes and removes them", async () => {
  const base = new MemoryFileSystem();
  const fs = new CountingFileSystem(base);
  await using store = await openInMemory({ segmentBytesMax: 4096, durability: LAZY }, fs);
  for (let i = 0; i < 60; i++) store.setSync("key", pattern(1000, i));
  const feeds = Array.from({ length: 10 }, (_, i) => store.changes({ since: i * 5 }));
  for (const feed of feeds) await feed.next();
  await store.compact();
  // Beside the newest segment, which has two, and the lock's file there is one to each segment.
  assert.equal(fs.open_.size, store.stats().segments + 1);
  assert.deepEqual(segmentIds(base).length, store.stats().segments);
  assert.equal(logNames(base).some((name) => name === "0000000001.log"), false);
  for (const feed of feeds) {
    let last = 0;
    for await (const { version } of feed) {
      last = version;
      if (version === 60) break;
    }
    assert.equal(last, 60);
  }
});

test("who resumes near the end of a long segment does not read all of it", async () => {
  const fs = new CountingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({ durability: LAZY }, fs);
  for (let i = 0; i < 4000; i++) store.setSync(`${i}`, pattern(1000, i));
  await store.flush();
  const read = async (since: number) => {
    const before = fs.bytesRead;
    const versions: number[] = [];
    await collect(store.changes({ since, live: false }), versions);
    assert.deepEqual(versions, upTo(4000).slice(since));
    return fs.bytesRead - before;
  };
  const all = await read(0);
  assert(all > 4_000_000 && all < 4_500_000, `${all} bytes: each was read about once`);
  const some = await read(3990);
  assert(some < 400_000, `${some} bytes`);
  assert(await read(2000) < 2_500_000);
  // A feed that begins with what is new reads nothing else.
  const before = fs.bytesRead;
  const feed = store.changes();
  store.setSync("new", "1");
  await store.flush();
  assert.equal((await feed.next()).value?.version, 4001);
  assert(fs.bytesRead - before < 200);
  await feed.return();
});
