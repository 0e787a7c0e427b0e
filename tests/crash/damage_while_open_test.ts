/** Damage that comes while the store is open: found by whoever meets it, and spread by nobody. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OP_OFFSET, OP_SET } from "../../lib/format/record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { framesOf } from "../support/frames.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { FIRST_LOG } from "../support/killed_store.ts";
import { failsWith } from "../support/kv_error.ts";
import { read } from "../support/store_outcome.ts";
import { logNames, openInMemory, PATH, pattern, turn } from "../support/test_store.ts";

const LOG = `${PATH}/wal/${FIRST_LOG}`;
const LONG_BYTES = 100_000;

/** Flips a bit of a file in its place. */
function flip(fs: MemoryFileSystem, path: string, offset: number): void {
  const byte = readFile(fs, path, 1 << 30).slice(offset, offset + 1);
  byte[0]! ^= 1;
  const file = fs.open(path, "write");
  file.write(byte, 0, 1, offset);
  file.close();
}

function cut(fs: MemoryFileSystem, path: string, size: number): void {
  const file = fs.open(path, "write");
  file.truncate(size);
  file.close();
}

test("any byte of a record that the checksum covers, and the checksum itself, when it is read", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await store.set("a", "value");
  const frame = framesOf(readFile(fs, LOG, 1 << 20)).find(({ op }) => op === OP_SET)!;
  for (let offset = frame.offset + OP_OFFSET; offset < frame.end; offset++) {
    flip(fs, LOG, offset);
    await failsWith("CorruptLog", /checksum/, () => store.get("a"));
    flip(fs, LOG, offset);
    assert((await store.get("a")) !== undefined);
  }
});

test("a byte of a record that is longer, and so is checked in another way", async () => {
  for (const length of [900, 1100, LONG_BYTES]) {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({}, fs);
    await store.set("a", pattern(length));
    const frame = framesOf(readFile(fs, LOG, 1 << 20)).find(({ op }) => op === OP_SET)!;
    const { offset, end } = frame;
    for (const at of [offset + OP_OFFSET, (offset + end) >> 1, end - 5, end - 1]) {
      flip(fs, LOG, at);
      assert.throws(() => store.getSync("a"), { code: "CorruptLog", message: /checksum/ });
      await failsWith("CorruptLog", /checksum/, () => store.get("a"));
      flip(fs, LOG, at);
      assert.deepEqual(store.getSync("a"), pattern(length));
    }
  }
});

test("a file that ends inside a record, also if the same record was read right before", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await store.set("long", pattern(LONG_BYTES));
  await store.set("short", "value");
  const frame = framesOf(readFile(fs, LOG, 1 << 20)).findLast(({ op }) => op === OP_SET)!;
  assert((await store.get("short")) !== undefined);
  cut(fs, LOG, frame.end - 1);
  await failsWith("CorruptLog", /ends inside/, () => store.get("short"));
  cut(fs, LOG, LONG_BYTES);
  await failsWith("CorruptLog", /ends inside/, () => store.get("long"));
});

test("compaction drops nothing behind damage, but fails", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let key = 0; key < 20; key++) await store.set(`k${key}`, pattern(300, key));
  await store.delete("k0");
  const frames = framesOf(readFile(fs, LOG, 1 << 20));
  const mark = frames.findIndex(({ isMark }, index) => isMark && index > 3);
  flip(fs, LOG, frames[mark + 1]!.offset);
  const names = logNames(fs).filter((name) => name.endsWith(".log"));
  await failsWith("CorruptLog", /Cannot compact/, () => store.compact());
  for (const name of names) assert(logNames(fs).includes(name), `${name} is still there`);
  const left = logNames(fs).filter((name) => name.endsWith(".log")).length;
  assert.equal(left, store.stats().segments, "nothing is left of the output");
  assert.equal(store.size, 19);
});

test("compaction does not go by a hint file that was damaged in between", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  await using store = await openInMemory({}, fs);
  for (let key = 0; key < 9; key++) await store.set(`k${key}`, pattern(300, key));
  await store.delete("k0");
  const { state } = await read(store);
  fs.beforeChange = (what, path) => {
    if (what !== "rename" || !path.endsWith("ACTIVE")) return;
    const hint = logNames(base).filter((name) => name.endsWith(".hint")).at(-1);
    if (hint === undefined) return;
    flip(base, `${PATH}/wal/${hint}`, base.stat(`${PATH}/wal/${hint}`)!.size - 20);
    fs.beforeChange = () => {};
  };
  await failsWith("Io", /Cannot read back/, () => store.compact());
  assert.deepEqual((await read(store)).state, state);
  await store.close();
  await using again = await openInMemory({}, base);
  assert.deepEqual((await read(again)).state, state);
});

test("no hint is written of a segment that is damaged", async () => {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let key = 0; store.stats().segments === 1; key++) {
    store.setSync(`k${key}`, pattern(300, key));
  }
  const frames = framesOf(readFile(fs, LOG, 1 << 20));
  const mark = frames.findIndex(({ isMark }, index) => isMark && index > 3);
  flip(fs, LOG, frames[mark + 1]!.offset);
  for (let turns = 0; turns < 50; turns++) await turn();
  await store.close();
  assert.equal(logNames(fs).some((name) => name.endsWith(".hint")), false);
});
