/** What readers map of the files: never what may yet be cut off, and nothing for longer than it is there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { FRAME_HEADER_BYTES } from "../../lib/format/record.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { KvReader } from "../../lib/worker/kv_reader.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { MappingFileSystem } from "../support/mapping_file_system.ts";
import {
  DURABILITIES,
  LAZY,
  MemoryLogger,
  openInMemory,
  PATH,
  pattern,
} from "../support/test_store.ts";

/** Reads of one segment after which it is mapped, and some more. */
const READS = 1100;
const FIRST = `${PATH}/wal/0000000001.log`;

type Options = Parameters<typeof openInMemory>[0];

/** A store, and a reader of it; no read is by the store, so every map is the reader's. */
async function opened(options: Options, base: FileSystem = new MemoryFileSystem()) {
  const fileSystem = new MappingFileSystem(base);
  const store = await openInMemory({ logger: new MemoryLogger(), ...options }, fileSystem);
  const attach = (memoryMap?: boolean) =>
    KvReader.attach(
      store.share(),
      memoryMap === undefined ? { fileSystem } : {
        fileSystem,
        memoryMap,
      },
    );
  return { fileSystem, store, attach };
}

function readOften(reader: KvReader, key: string): void {
  const expected = reader.getSync(key);
  for (let count = 1; count < READS; count++) {
    assert.deepEqual(reader.getSync(key)?.length, expected?.length);
  }
}

/** Fills several segments, and returns how many keys it took. */
async function fillSegments(store: KvStore): Promise<number> {
  let keys = 0;
  while (store.stats().segments < 4) await store.set(`k${keys}`, pattern(900, keys++));
  return keys;
}

for (const [name, durability] of DURABILITIES) {
  test(`reader, ${name}: the newest segment is mapped as far as it is durable`, async () => {
    const { fileSystem, store, attach } = await opened({ durability });
    store.setSync("before", pattern(100));
    await store.flush();
    using reader = attach();
    readOften(reader, "before");
    const length = fileSystem.mapped.get(FIRST)!;
    assert(length > 100);
    // With space kept ready behind the log, the file is longer than that, and cut off in the end.
    for (let key = 0; key < 40; key++) await store.set(`k${key}`, pattern(300, key));
    await store.flush();
    readOften(reader, "k39");
    assert(fileSystem.mapped.get(FIRST)! >= length + 40 * 300);
    if (name === "immediate") assert(fileSystem.stat(FIRST)!.size > fileSystem.mapped.get(FIRST)!);
    await store.close();
  });

  test(`reader, ${name}: what a failed write leaves is cut off behind what is mapped`, async () => {
    const disk = new InterceptingFileSystem(new MemoryFileSystem());
    const { fileSystem, store, attach } = await opened({ durability }, disk);
    await store.set("a", pattern(100));
    await store.flush();
    using reader = attach();
    readOften(reader, "a");
    assert(fileSystem.mapped.get(FIRST)! > 100);
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
    assert.deepEqual(reader.getSync("a"), pattern(100));
    await store.close().catch(() => {});
  });
}

test("reader: what is not durable is not mapped, though it is in the file", async () => {
  const base = new InterceptingFileSystem(new MemoryFileSystem());
  const { fileSystem, store, attach } = await opened({ durability: LAZY }, base);
  using reader = attach();
  using gate = new Gate();
  base.beforeSyncAsync = () => gate.pass();
  store.setSync("a", pattern(100));
  const flushed = store.flush();
  const { size } = fileSystem.stat(FIRST)!;
  // More than the writer's buffer holds, while the fsync runs.
  for (let key = 0; key < 30; key++) store.setSync(`k${key}`, pattern(60_000, key));
  gate.open();
  await flushed;
  assert(fileSystem.stat(FIRST)!.size > size);
  readOften(reader, "k0");
  assert.equal(fileSystem.mapped.get(FIRST), size);
  await store.close();
});

test("reader: an fsync that ends when there is a newer segment tells nothing about that one", async () => {
  const base = new InterceptingFileSystem(new MemoryFileSystem());
  const { fileSystem, store, attach } = await opened(
    { durability: LAZY, segmentBytesMax: 3 << 20 },
    base,
  );
  using reader = attach();
  using gate = new Gate();
  base.beforeSyncAsync = () => gate.pass();
  store.setSync("a", pattern(2_900_000));
  const flushed = store.flush();
  store.setSync("b", pattern(500_000));
  assert.equal(store.stats().segments, 2);
  assert.equal(gate.waiting, 1);
  gate.open();
  await flushed;
  for (let key = 0; key < 30; key++) store.setSync(`k${key}`, pattern(30_000, key));
  readOften(reader, "b");
  const second = FIRST.replace("1.log", "2.log");
  assert((fileSystem.mapped.get(second) ?? 0) < 1000);
  await store.close();
});

test("reader: a segment that is being closed is mapped as far as it is durable", async () => {
  const base = new InterceptingFileSystem(new MemoryFileSystem());
  const { fileSystem, store, attach } = await opened(
    { durability: LAZY, segmentBytesMax: 4096 },
    base,
  );
  using gate = new Gate();
  store.setSync("a", pattern(100));
  store.flushSync();
  const { size } = fileSystem.stat(FIRST)!;
  base.beforeSyncAsync = () => gate.pass();
  let keys = 0;
  while (store.stats().segments < 2) await store.set(`b${keys++}`, pattern(900));
  using reader = attach();
  readOften(reader, "a");
  assert.equal(fileSystem.mapped.get(FIRST), size);
  readOften(reader, `b${keys - 1}`);
  assert.equal(fileSystem.mapped.size, 1, "nothing is in the new segment yet");
  gate.open();
  await store.flush();
  readOften(reader, "b0");
  assert.equal(fileSystem.mapped.get(FIRST), fileSystem.stat(FIRST)!.size);
  await store.close();
});

test("reader: closed segments are mapped whole, and unmapped when compaction removes them", async () => {
  const { fileSystem, store, attach } = await opened({ segmentBytesMax: 4096 });
  using reader = attach();
  const keys = await fillSegments(store);
  for (let key = 0; key < keys; key++) readOften(reader, `k${key}`);
  const { mapped } = fileSystem;
  assert.equal(mapped.size, store.stats().segments);
  assert.equal(mapped.get(FIRST), fileSystem.stat(FIRST)!.size);
  const paths = [...mapped.keys()];
  for (let key = 0; key < keys; key += 2) await store.set(`k${key}`, pattern(800, key));
  await store.compact();
  for (let key = 0; key < keys; key++) {
    assert.deepEqual(reader.getSync(`k${key}`), pattern(key % 2 === 0 ? 800 : 900, key));
  }
  assert(paths.some((path) => fileSystem.stat(path) === undefined));
  for (const path of mapped.keys()) assert(fileSystem.stat(path) !== undefined, `${path} is gone`);
  reader.detach();
  assert.equal(mapped.size, 0);
  await store.close();
});

test("reader: reads of mapped values, and nothing else, fetch them ahead", async () => {
  const { fileSystem, store, attach } = await opened({ durability: LAZY });
  for (const key of ["before", "a key", "behind"]) store.setSync(key, pattern(100));
  store.setSync("long", pattern(3000));
  await store.flush();
  using reader = attach();
  readOften(reader, "a key");
  const log = new TextDecoder("latin1").decode(readFile(fileSystem, FIRST, 1 << 20));
  const begin = log.indexOf("a key") - FRAME_HEADER_BYTES;
  const touched = { path: FIRST, position: begin - begin % 64 };
  const reads: [string, () => unknown][] = [
    ["getSync", () => reader.getSync("a key")],
    ["get", () => reader.get("a key")],
    ["getEntry", () => reader.getEntry("a key")],
    ["getEntrySync", () => reader.getEntrySync("a key")],
    ["getShort", () => reader.getShort("a key", 1000)],
  ];
  for (const [name, read] of reads) {
    fileSystem.touched.length = 0;
    await read();
    assert.deepEqual(fileSystem.touched, [touched], name);
  }
  fileSystem.touched.length = 0;
  reader.has("a key");
  reader.stat("a key");
  reader.getSync("long");
  assert.deepEqual(fileSystem.touched, [], "to fetch may be to wait for the disk");
  await store.close();
});

test("reader: nothing is mapped if the store, or the reader, is told so", async () => {
  for (const [ofStore, ofReader] of [[false, undefined], [false, true], [true, false]] as const) {
    const { fileSystem, store, attach } = await opened({ memoryMap: ofStore });
    await store.set("a", pattern(100));
    using reader = attach(ofReader);
    readOften(reader, "a");
    assert.equal(fileSystem.mapped.size, 0);
    await store.close();
  }
  const { store, attach } = await opened({});
  await failsWith("InvalidArgument", /memoryMap is "yes"/, () => attach("yes" as never));
  await store.close();
});
