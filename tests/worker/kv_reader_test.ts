/** A reader beside the store that it reads, on the same thread: what it sees, and what it refuses. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { isDataOp } from "../../lib/format/record.ts";
import type { File } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { SegmentReader } from "../../lib/log/segment_reader.ts";
import type { SharedStore } from "../../lib/store/shared_store.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { Entry, ScanOptions } from "../../lib/store/types.ts";
import { KvReader } from "../../lib/worker/kv_reader.ts";
import { TestClock } from "../support/test_clock.ts";
import { DURABILITIES, LAZY, openInMemory, pattern, scanAll, text } from "../support/test_store.ts";

function hasCode(code: string) {
  return (error: unknown) => error instanceof KvError && error.code === code;
}

async function opened(options: Parameters<typeof openInMemory>[0] = {}) {
  const fileSystem = new MemoryFileSystem();
  const clock = new TestClock();
  const store = await openInMemory({ clock, ...options }, fileSystem);
  const attach = (handle: SharedStore = store.share()) =>
    KvReader.attach(handle, { fileSystem, clock });
  return { fileSystem, clock, store, attach };
}

/** Holds every way of reading a key against the store's own. */
async function assertAlike(reader: KvReader, store: KvStore, key: string): Promise<void> {
  const entry = store.getEntrySync(key);
  assert.deepEqual(reader.getEntrySync(key), entry, key);
  assert.deepEqual(await reader.getEntry(key), entry, key);
  assert.deepEqual(reader.getSync(key), entry?.value, key);
  assert.deepEqual(await reader.get(key), entry?.value, key);
  assert.equal(reader.has(key), entry !== undefined, key);
  assert.deepEqual(reader.stat(key), store.stat(key), key);
  const size = entry?.value.length ?? 0;
  assert.deepEqual(reader.getShort(key, size), entry?.value, key);
  assert.equal(reader.getShort(key, size - 1), entry === undefined ? undefined : null, key);
}

for (const [name, durability] of DURABILITIES) {
  test(`reader, ${name}: sees each write that was acknowledged, before and after attaching`, async () => {
    const { store, attach } = await opened({ durability });
    store.setSync("before", "1");
    store.setSync("temporary", "2", { ttl: 1000 });
    using reader = attach();
    await assertAlike(reader, store, "before");
    await assertAlike(reader, store, "temporary");
    await assertAlike(reader, store, "missing");
    store.setSync("before", "3");
    assert.equal(text(reader.getSync("before")), "3");
    store.deleteSync("before");
    assert.equal(reader.getSync("before"), undefined);
    store.batchSync([{ op: "set", key: "a", value: "4" }, { op: "set", key: "ä", value: "" }]);
    await assertAlike(reader, store, "a");
    await assertAlike(reader, store, "ä");
    await store.close();
  });

  test(`reader, ${name}: values of all lengths, across rotation, growth and compaction`, async () => {
    const { store, attach } = await opened({ durability, segmentBytesMax: 1 << 21 });
    using early = attach();
    const lengths = [0, 1, 4000, 65_480, 65_536, 100_000, (1 << 20) - 50, 1 << 20, 3 << 20];
    for (const round of [1, 2]) {
      for (const length of lengths) {
        store.setSync(`length:${length}`, pattern(length, round));
        await assertAlike(early, store, `length:${length}`);
      }
      for (let i = 0; i < 3000; i++) store.setSync(`key:${i % 2000}`, `${round}:${i}`);
      store.batchSync(
        lengths.map((length) => ({
          op: "set",
          key: `batch:${length}`,
          value: pattern(length, round + 2),
        })),
      );
      using late = attach();
      for (const reader of [early, late]) {
        for (const length of lengths) {
          await assertAlike(reader, store, `length:${length}`);
          await assertAlike(reader, store, `batch:${length}`);
        }
        for (let i = 0; i < 2000; i += 37) await assertAlike(reader, store, `key:${i}`);
      }
      await store.compact();
      for (const length of lengths) await assertAlike(early, store, `length:${length}`);
      for (let i = 0; i < 2000; i += 37) await assertAlike(early, store, `key:${i}`);
    }
    await store.close();
  });
}

test("reader: scans as the store does", async () => {
  const { store, clock, attach } = await opened({ durability: LAZY, segmentBytesMax: 1 << 20 });
  using reader = attach();
  for (let i = 0; i < 12_000; i++) store.setSync(`key:${(i * 7919) % 12_000}`, `${i}`);
  for (const key of ["ä", "a", "\u0000", "key", "ab", "b".repeat(300)]) store.setSync(key, key);
  store.setSync("gone", "1", { ttl: 1000 });
  store.setSync("going", "1", { ttl: 2000 });
  store.deleteSync("key:77");
  clock.advance(1000);
  const ranges: ScanOptions[] = [
    {},
    { reverse: true, limit: 10 },
    { prefix: "key:11", values: false },
    { start: "a", end: "key:2", limit: 50 },
    { prefix: "none" },
    { limit: 0 },
  ];
  for (const options of ranges) {
    const entries: Entry[] = [];
    for await (const entry of reader.scan(options)) entries.push(entry);
    assert.deepEqual(entries, await scanAll(store, options), JSON.stringify(options));
  }
  assert.throws(() => reader.scan({ limit: -1 }), hasCode("InvalidArgument"));
  await store.close();
  assert.throws(() => reader.scan(), hasCode("Closed"));
});

test("reader: keys expire by its own clock", async () => {
  const { store, clock, fileSystem } = await opened();
  store.setSync("session", "tea", { ttl: 1000 });
  const own = new TestClock({ nowMs: clock.now() });
  using reader = KvReader.attach(store.share(), { fileSystem, clock: own });
  assert(reader.has("session"));
  own.advance(999);
  assert(reader.has("session"));
  own.advance(1);
  assert(!reader.has("session"));
  assert.equal(reader.getSync("session"), undefined);
  assert.equal(text(store.getSync("session")), "tea");
  await store.close();
});

test("reader: a write that is not acknowledged yet is not seen", async () => {
  const { store, attach } = await opened({ durability: "immediate" });
  using reader = attach();
  const written = store.set("key", "value");
  assert.equal(reader.getSync("key"), undefined);
  await written;
  assert.equal(text(reader.getSync("key")), "value");
  await store.close();
});

test("reader: files that compaction has removed are closed at the next read, or within a second", async () => {
  for (const reads of [true, false]) {
    const { store, clock, attach, fileSystem } = await opened({ segmentBytesMax: 4096 });
    for (let i = 0; i < 200; i++) {
      store.setSync(i % 10 === 0 ? `key:${i / 10}` : "other", pattern(100, i));
    }
    const open = new Set<File>();
    const openFile = fileSystem.open.bind(fileSystem);
    fileSystem.open = (path, mode) => {
      const file = openFile(path, mode);
      if (mode !== "read") return file; // the store's own
      const close = file.close.bind(file);
      open.add(file);
      file.close = () => {
        open.delete(file);
        close();
      };
      return file;
    };
    using reader = attach();
    for (let i = 0; i < 20; i++) reader.getSync(`key:${i}`);
    const taken = [...open];
    await store.compact();
    const isRemoved = (file: File) => fileSystem.stat(file.path) === undefined;
    assert(taken.filter(isRemoved).length > 1);
    assert(taken.every((file) => open.has(file)), "nobody but the reader closes its files");
    if (reads) assert.equal(reader.getSync("missing"), undefined);
    else clock.advance(1000);
    for (const file of taken) assert.equal(open.has(file), !isRemoved(file), file.path);
    for (let i = 0; i < 20; i++) await assertAlike(reader, store, `key:${i}`);
    await store.close();
    assert(open.size > 0);
    if (reads) assert.throws(() => reader.getSync("missing"), hasCode("Closed"));
    else clock.advance(1000);
    assert.equal(open.size, 0, "nothing is held of a closed store");
  }
});

test("reader: a record that was moved between looking it up and opening its file is found", async () => {
  const { store, attach, fileSystem } = await opened({ segmentBytesMax: 4096 });
  for (let i = 0; i < 100; i++) store.setSync(`key:${i % 20}`, pattern(100, i));
  using reader = attach();
  const expected = store.getEntrySync("key:3");
  const open = fileSystem.open.bind(fileSystem);
  let removed = 0;
  // As if compaction had been quicker: the file is not there when the reader comes to open it.
  fileSystem.open = (path, mode) => {
    if (removed++ === 0) {
      const error = Object.assign(new Error("ENOENT: gone"), { code: "ENOENT" });
      throw new KvError("Io", "gone", { cause: error });
    }
    return open(path, mode);
  };
  assert.deepEqual(reader.getEntrySync("key:3"), expected);
  assert(removed >= 2);
  removed = -1_000_000;
  await store.close();
});

test("reader: damaged and missing files are errors, not values", async () => {
  const { store, attach, fileSystem } = await opened();
  store.setSync("key", pattern(100));
  const path = "/store/wal/0000000001.log";
  const file = fileSystem.open(path, "write");
  const size = file.size();
  const byte = new Uint8Array(1);
  file.read(byte, 0, 1, 150);
  const flipped = Uint8Array.of(byte[0]! ^ 1);
  file.write(flipped, 0, 1, 150);
  using reader = attach();
  assert.throws(() => reader.getSync("key"), hasCode("CorruptLog"));
  await assert.rejects(reader.get("key"), hasCode("CorruptLog"));
  file.write(byte, 0, 1, 150);
  assert.deepEqual(reader.getSync("key"), pattern(100));
  // The last byte of the record's checksum, before the mark that follows it.
  const end = firstRecordEnd(fileSystem, path);
  file.read(byte, 0, 1, end - 1);
  file.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, end - 1);
  assert.throws(() => reader.getSync("key"), hasCode("CorruptLog"));
  file.write(byte, 0, 1, end - 1);
  file.truncate(120);
  assert.throws(() => reader.getSync("key"), hasCode("CorruptLog"));
  file.truncate(size);
  using other = attach();
  fileSystem.rename(path, "/store/wal/elsewhere");
  assert.throws(() => other.getSync("key"), hasCode("Io"));
  fileSystem.rename("/store/wal/elsewhere", path);
  file.close();
  await store.close();
});

/** Where the first record of a segment ends that is about a key. */
function firstRecordEnd(fileSystem: MemoryFileSystem, path: string): number {
  const file = fileSystem.open(path, "read");
  const frames = new SegmentReader(file, 0, file.size());
  while (frames.next() && !isDataOp(frames.header.op));
  file.close();
  return frames.offset + frames.header.frameLength;
}

test("reader: refuses after the store was closed, and after it was detached", async () => {
  const { store, attach } = await opened({ durability: LAZY });
  store.setSync("key", "value");
  const handle = store.share();
  assert.equal(store.share(), handle);
  const reader = attach();
  reader.detach();
  reader.detach();
  assert.throws(() => reader.getSync("key"), hasCode("Closed"));
  await assert.rejects(reader.get("key"), hasCode("Closed"));
  using other = attach(structuredClone(handle));
  assert.equal(text(other.getSync("key")), "value");
  await store.close();
  assert.throws(() => other.getSync("key"), hasCode("Closed"));
  assert.throws(() => other.has("key"), hasCode("Closed"));
  await assert.rejects(other.getEntry("key"), hasCode("Closed"));
  assert.throws(() => attach(handle), hasCode("Closed"));
  assert.throws(() => store.share(), hasCode("Closed"));
});

test("reader: a store that was opened for reading only cannot be shared", async () => {
  const { store, fileSystem } = await opened();
  const reading = await openInMemory({ readOnly: true }, fileSystem);
  assert.throws(() => reading.share(), hasCode("ReadOnly"));
  await reading.close();
  await store.close();
});

test("reader: keys are checked as the store does", async () => {
  const { store, attach } = await opened({ keyBytesMax: 10 });
  using reader = attach();
  assert.throws(() => reader.getSync(""), hasCode("InvalidKey"));
  assert.throws(() => reader.has("12345678901"), hasCode("InvalidKey"));
  assert.throws(() => reader.getSync(1 as never), hasCode("InvalidKey"));
  await assert.rejects(reader.get("\ud800"), hasCode("InvalidKey"));
  await store.close();
});
