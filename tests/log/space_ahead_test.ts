/** Space kept ready behind the log: who makes it, who does without, and that nobody sees it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvError } from "../../lib/errors.ts";
import { KvStore } from "../../lib/store/store.ts";
import { endOfFrames } from "../../lib/log/zero_tail.ts";
import { bytesOf, fromImage, takeImage } from "../support/disk_image.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { FIRST_LOG } from "../support/killed_store.ts";
import { memoryFile } from "../support/memory_file.ts";
import {
  assertExact,
  LAZY,
  MemoryLogger,
  openInMemory,
  PATH,
  pattern,
  scanAll,
} from "../support/test_store.ts";

const LOG = `${PATH}/wal/${FIRST_LOG}`;

async function setMany(store: KvStore, count: number, first = 0): Promise<void> {
  for (let i = 0; i < count; i++) await store.set(`key ${first + i}`, `${first + i}`);
}

function sizeOf(fs: MemoryFileSystem): number {
  return bytesOf(takeImage(fs), FIRST_LOG).length;
}

test("who syncs often gets space, and writes into it until it is used up", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await setMany(store, 10);
  assert.equal(sizeOf(fs), store.stats().totalBytes, "a few writes do without");
  await setMany(store, 10, 10);
  const size = sizeOf(fs);
  assert(size >= store.stats().totalBytes + (60 << 10), `${size}`);
  await setMany(store, 100, 20);
  assert.equal(sizeOf(fs), size);
  await setMany(store, 1000, 120);
  assert(store.stats().totalBytes > size, "it was used up");
  assert(sizeOf(fs) > store.stats().totalBytes, "and there is more");
  assert.equal(store.size, 1120);
  await assertExact(store, fs);
});

test("large groups, batched durability, and the end of a segment do without", async () => {
  const large = new MemoryFileSystem();
  await using storeOfLarge = await openInMemory({}, large);
  for (let i = 0; i < 30; i++) await storeOfLarge.set("key", pattern(40 << 10));
  assert.equal(sizeOf(large), storeOfLarge.stats().totalBytes);
  const lazy = new MemoryFileSystem();
  await using storeOfLazy = await openInMemory({ durability: LAZY }, lazy);
  for (let i = 0; i < 30; i++) {
    await storeOfLazy.set("key", "value");
    await storeOfLazy.flush();
  }
  assert.equal(sizeOf(lazy), storeOfLazy.stats().totalBytes);
  const small = new MemoryFileSystem();
  await using storeOfSmall = await openInMemory({ segmentBytesMax: 8192 }, small);
  await setMany(storeOfSmall, 30);
  assert.equal(sizeOf(small), 8192);
});

test("a segment ends where its frames do when it is closed, and when the store is", async () => {
  const fs = new MemoryFileSystem();
  const options = { segmentBytesMax: 8192, compaction: { auto: false } };
  const store = await openInMemory(options, fs);
  for (let round = 0; round < 3; round++) {
    await setMany(store, 20, round * 20);
    await store.set(`long ${round}`, pattern(7000));
  }
  assert(store.stats().segments > 3);
  await store.close();
  const report = await KvStore.verify(PATH, { fileSystem: fs });
  assert.deepEqual([report.ok, report.tornBytes, report.records], [true, 0, 63]);
  const logs = [...takeImage(fs)].filter(([name]) => name.endsWith(".log"));
  await using again = await openInMemory(options, fs);
  assert.equal(logs.reduce((sum, [, bytes]) => sum + bytes.length, 0), again.stats().totalBytes);
});

test("after a kill, space is cut off without a word", async () => {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({}, fs);
  await setMany(store, 40);
  const { totalBytes } = store.stats();
  const killed = fromImage(takeImage(fs));
  await store.close();
  const reader = await KvStore.open(PATH, { fileSystem: killed, readOnly: true });
  assert.deepEqual([reader.size, reader.stats().replay.truncatedBytes], [40, 0]);
  await reader.close();
  const report = await KvStore.verify(PATH, { fileSystem: killed });
  assert.deepEqual([report.ok, report.tornBytes, report.torn], [true, 0, undefined]);
  const size = sizeOf(killed);
  const items = await Array.fromAsync(KvStore.inspect(LOG, { fileSystem: killed }));
  assert.deepEqual(items.at(-1), {
    kind: "fields",
    offset: totalBytes,
    fields: { zeros: size - totalBytes },
  });
  const logger = new MemoryLogger();
  await using again = await openInMemory({ logger }, killed);
  assert.deepEqual([again.size, again.stats().replay.truncatedBytes], [40, 0]);
  assert.deepEqual(logger.troubles, []);
  assert(sizeOf(killed) < totalBytes + 200, "it was cut off");
  await setMany(again, 40, 40);
  assert.equal((await scanAll(again)).length, 80);
});

test("a last frame that ends with zeros is not taken for space", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await setMany(store, 20);
  const last = new Uint8Array([1]);
  let count = 20;
  // The checksum of one in 256 ends so.
  for (; last[0] !== 0 && count < 20_000; count++) {
    await setMany(store, 1, count);
    const log = fs.open(LOG, "read");
    log.read(last, 0, 1, store.stats().totalBytes - 1);
    log.close();
  }
  assert.equal(last[0], 0);
  assert(sizeOf(fs) > store.stats().totalBytes);
  const killed = fromImage(takeImage(fs));
  await using again = await openInMemory({}, killed);
  assert.deepEqual([again.size, again.stats().replay.truncatedBytes], [count, 0]);
  assert.equal(again.stats().version, count);
});

test("a full disk that has no room for space takes records as long as it can", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  await using store = await openInMemory({}, fs);
  await setMany(store, 10);
  let refused = 0;
  let writes = 0;
  fs.beforeChange = (what) => {
    // The records of one set are one write; what comes before the next fsync is space.
    if (what !== "write" || writes++ === 0) return;
    refused++;
    throw new KvError("NoSpace", "the disk is full");
  };
  fs.beforeSync = fs.beforeSyncAsync = () => void (writes = 0);
  await setMany(store, 1000, 10);
  assert.equal(refused, 1, "it is not tried again");
  fs.beforeChange = () => {};
  assert.equal(store.size, 1010);
  await assertExact(store, fs);
});

test("a disk that fails at writing space has failed", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const store = await openInMemory({}, fs);
  let writes = 0;
  fs.beforeChange = (what) => {
    if (what === "write" && writes++ === 1) throw new KvError("Io", "the disk is gone");
  };
  fs.beforeSync = fs.beforeSyncAsync = () => void (writes = 0);
  await assert.rejects(setMany(store, 100), { code: "Io" });
  assert.equal(store.failure?.code, "Io");
  await store.close();
});

test("where the zeros at the end of a file begin", () => {
  const sizes = [0, 1, 2, 65_535, 65_536, 65_537, 200_000];
  for (const size of sizes) {
    const bytes = new Uint8Array(size);
    assert.equal(endOfFrames(memoryFile(bytes), size), 0);
    for (const at of sizes) {
      if (at >= size) continue;
      bytes[at] = 1;
      assert.equal(endOfFrames(memoryFile(bytes), size), at + 1, `${at} of ${size}`);
      if (at > 0) bytes[0] = 1;
    }
  }
});
