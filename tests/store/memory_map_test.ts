/** Stores whose segments are mapped: what is mapped, for how long, and that nothing else differs. */

import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvError } from "../../lib/errors.ts";
import { FRAME_HEADER_BYTES } from "../../lib/format/record.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { MappingFileSystem } from "../support/mapping_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import {
  DURABILITIES,
  LAZY,
  MemoryLogger,
  openInMemory,
  PATH,
  pattern,
  scanAll,
} from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";

/** Reads of one segment after which it is mapped, and some more. */
const READS = 1100;
const FIRST = "0000000001.log";

/** Reads a key so often that its segment is mapped. */
function readOften(store: KvStore, key: string): void {
  for (let count = 0; count < READS; count++) store.getSync(key);
}

function mapsOf(directory: string): string[] {
  return readFileSync("/proc/self/maps", "utf8").split("\n")
    .filter((line) => line.includes(directory));
}

const withoutMaps = !("Bun" in globalThis)
  ? "only Bun maps files"
  : process.platform !== "linux"
  ? "needs /proc"
  : undefined;

test("a segment that is read often is mapped; the newest one as far as it is durable", async () => {
  const fs = new MappingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({ durability: LAZY }, fs);
  const path = `${PATH}/wal/${FIRST}`;
  store.setSync("a", pattern(100));
  readOften(store, "a");
  assert.equal(fs.mapped.get(path), undefined, "what is in the writer's buffer needs no file");
  await store.flush();
  store.getSync("a");
  assert.equal(fs.mapped.get(path), undefined, "not for one read");
  const length = fs.stat(path)!.size;
  store.setSync("in the buffer", pattern(100));
  readOften(store, "a");
  assert.equal(fs.mapped.get(path), length);
  await store.set("b", pattern(3000));
  await store.flush();
  readOften(store, "a");
  assert.equal(fs.mapped.get(path), length, "what is mapped serves");
  readOften(store, "b");
  assert.equal(fs.mapped.get(path), fs.stat(path)!.size);
});

test("reads of mapped values, and nothing else, fetch them ahead", async () => {
  const fs = new MappingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({ durability: LAZY }, fs);
  const path = `${PATH}/wal/${FIRST}`;
  for (const key of ["before", "a key", "behind"]) store.setSync(key, pattern(100));
  store.setSync("long", pattern(3000));
  await store.flush();
  readOften(store, "a key");
  const log = new TextDecoder("latin1").decode(readFile(fs, path, 1 << 20));
  const begin = log.indexOf("a key") - FRAME_HEADER_BYTES;
  const position = begin - begin % 64;
  const reads: [string, () => unknown][] = [
    ["getSync", () => store.getSync("a key")],
    ["get", () => store.get("a key")],
    ["getEntry", () => store.getEntry("a key")],
    ["getEntrySync", () => store.getEntrySync("a key")],
    ["direct access", () => store.direct.find(new TextEncoder().encode("a key"), 0, 5)],
  ];
  for (const [name, read] of reads) {
    fs.touched.length = 0;
    await read();
    assert.deepEqual(fs.touched, [{ path, position }], name);
  }
  fs.touched.length = 0;
  store.has("a key");
  store.stat("a key");
  store.getSync("long");
  store.setSync("a key", pattern(5));
  store.deleteSync("a key");
  assert.deepEqual(fs.touched, [], "to fetch may be to wait for the disk");
});

test("a segment that is being closed is mapped as far as it is durable", async () => {
  const base = new InterceptingFileSystem(new MemoryFileSystem());
  const fs = new MappingFileSystem(base);
  await using store = await openInMemory({ durability: LAZY, segmentBytesMax: 4096 }, fs);
  using gate = new Gate();
  const path = `${PATH}/wal/${FIRST}`;
  store.setSync("a", pattern(100));
  store.flushSync();
  const length = fs.stat(path)!.size;
  base.beforeSyncAsync = () => gate.pass();
  while (store.stats().segments < 2) await store.set("b", pattern(900));
  assert(fs.stat(path)!.size > length);
  readOften(store, "a");
  assert.equal(fs.mapped.get(path), length);
});

test("without the option nothing is mapped", async () => {
  const fs = new MappingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({ memoryMap: false }, fs);
  await store.set("a", pattern(100));
  readOften(store, "a");
  assert.equal(fs.mapped.size, 0);
});

test("beside a writer, the newest segment is not mapped: the writer may cut it off", async () => {
  const base = new MemoryFileSystem();
  {
    await using store = await openInMemory({ segmentBytesMax: 4096 }, base);
    for (let key = 0; key < 9; key++) await store.set(`k${key}`, pattern(900, key));
  }
  const fs = new MappingFileSystem(base);
  await using store = await openInMemory({ readOnly: true }, fs);
  for (let key = 0; key < 9; key++) readOften(store, `k${key}`);
  assert.equal(fs.mapped.size, store.stats().segments - 1);
  assert(fs.mapped.has(`${PATH}/wal/${FIRST}`));
});

for (const [name, durability] of DURABILITIES) {
  test(`what a failed write leaves is cut off behind what is mapped, ${name}`, async () => {
    const disk = new InterceptingFileSystem(new MemoryFileSystem());
    const fs = new MappingFileSystem(disk);
    const store = await openInMemory({ durability, logger: new MemoryLogger() }, fs);
    await store.set("a", pattern(100));
    await store.flush();
    readOften(store, "a");
    const length = fs.mapped.get(`${PATH}/wal/${FIRST}`)!;
    assert(length > 100);
    let cuts = 0;
    disk.beforeChange = (what) => {
      if (what === "truncate") cuts++;
      if (what === "write") throw new KvError("Io", "the disk is broken");
    };
    await assert.rejects(async () => {
      await store.set("b", pattern(5000));
      await store.flush();
    });
    assert.equal(cuts, 1);
    assert.deepEqual(store.getSync("a"), pattern(100));
    await store.close().catch(() => {});
    assert.equal(fs.mapped.size, 0);
  });
}

test("files that compaction removes are unmapped, and so are all when the store is closed", async () => {
  const fs = new MappingFileSystem(new MemoryFileSystem());
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let key = 0; key < 30; key++) await store.set(`k${key % 10}`, pattern(900, key));
  for (let key = 0; key < 10; key++) readOften(store, `k${key}`);
  assert(fs.mapped.size > 1);
  await store.compact();
  for (const path of fs.mapped.keys()) assert(fs.stat(path) !== undefined, `${path} is gone`);
  for (let key = 0; key < 10; key++) readOften(store, `k${key}`);
  assert(fs.mapped.size > 1);
  await store.close();
  assert.equal(fs.mapped.size, 0);
});

testUnless(withoutMaps, "the machine holds no removed file for the sake of a map", async () => {
  using directory = new TemporaryDirectory();
  const options: OpenOptions = { segmentBytesMax: 65_536, durability: LAZY };
  const store = await KvStore.open(directory.path, options);
  for (let round = 0; round < 5; round++) {
    for (let key = 0; key < 500; key++) await store.set(`k${key}`, pattern(500, round));
    for (let key = 0; key < 500; key += 20) readOften(store, `k${key}`);
    await store.flush();
    assert(mapsOf(directory.path).length > 1, "segments are mapped");
    await store.compact();
    assert.deepEqual(mapsOf(directory.path).filter((line) => line.includes("(deleted)")), []);
    assert(mapsOf(directory.path).length <= store.stats().segments);
  }
  await store.close();
  assert.deepEqual(mapsOf(directory.path), []);
});

test("mapped or not, every read is the same, through rotation, compaction and reopening", async () => {
  using directory = new TemporaryDirectory();
  const random = new SeededRandom(7);
  const stores = [true, false].map((memoryMap) => ({
    path: directory.join(`${memoryMap}`),
    options: {
      memoryMap,
      segmentBytesMax: 16_384,
      durability: LAZY,
      compaction: { auto: false },
      logger: new MemoryLogger(),
    },
  }));
  const open = () => Promise.all(stores.map(({ path, options }) => KvStore.open(path, options)));
  let both = await open();
  const model = new Map<string, Uint8Array>();
  for (let step = 0; step < 150; step++) {
    const key = `k${random.below(60)}`;
    const value = pattern(random.below(10) === 0 ? random.below(12_000) : random.below(400), step);
    const action = random.below(20);
    if (action < 12) {
      model.set(key, value);
      for (const store of both) store.setSync(key, value);
    } else if (action < 15 && model.delete(key)) {
      for (const store of both) store.deleteSync(key);
    } else if (action === 15) {
      for (const store of both) await store.flush();
    } else if (action === 16) {
      for (const store of both) await store.compact();
    } else if (action === 17) {
      for (const store of both) await store.close();
      both = await open();
    }
    for (const store of both) {
      if (model.has(key)) readOften(store, key);
      assert.deepEqual(store.getSync(key), model.get(key));
    }
    if (step % 10 > 0) continue;
    for (const store of both) {
      for (const [each, expected] of model) assert.deepEqual(await store.get(each), expected);
      const entries = await scanAll(store);
      assert.deepEqual(new Map(entries.map(({ key, value }) => [key, value])), model);
    }
  }
  for (const store of both) await store.close();
});

for (const memoryMap of [true, false]) {
  test(`damage comes to light when it is read, with memoryMap ${memoryMap}`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("wal", FIRST);
    const options: OpenOptions = { memoryMap, segmentBytesMax: 4096, logger: new MemoryLogger() };
    await using store = await KvStore.open(directory.path, options);
    for (let key = 0; key < 8; key++) await store.set(`k${key}`, pattern(900, key));
    for (let key = 0; key < 8; key++) readOften(store, `k${key}`);
    const at = readFileSync(path).indexOf(pattern(900, 1));
    const file = openSync(path, "r+");
    writeSync(file, new Uint8Array([pattern(900, 1)[450]! ^ 1]), 0, 1, at + 450);
    closeSync(file);
    const error = await failsWith("CorruptLog", /checksum/, () => store.get("k1"));
    assert.equal(error.path, path);
    assert.equal(error.fileId, 1);
    assert(error.offset! < at && error.offset! > at - 64);
    assert.throws(() => store.getSync("k1"), /checksum/);
    assert.deepEqual(store.getSync("k0"), pattern(900, 0));
    assert.deepEqual(store.getSync("k2"), pattern(900, 2));
  });
}

test("a file that is cut off is an error and no more, without the option", async () => {
  using directory = new TemporaryDirectory();
  const options: OpenOptions = { memoryMap: false, logger: new MemoryLogger() };
  await using store = await KvStore.open(directory.path, options);
  for (let key = 0; key < 20; key++) await store.set(`k${key}`, pattern(900, key));
  for (let key = 0; key < 20; key++) readOften(store, `k${key}`);
  truncateSync(directory.join("wal", FIRST), 5000);
  await failsWith("CorruptLog", /ends inside/, () => store.get("k19"));
  assert.deepEqual(await store.get("k0"), pattern(900, 0));
});
