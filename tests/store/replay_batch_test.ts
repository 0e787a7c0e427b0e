/** Replay applies records a few at a time: whatever happens to the bytes they were read from. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { OP_DELETE, OP_SET, OP_SET_EXPIRING } from "../../lib/format/record.ts";
import { KeyIndex } from "../../lib/index/key_index.ts";
import { Segment } from "../../lib/log/segment.ts";
import { SegmentSet } from "../../lib/log/segment_set.ts";
import { ABSENT, Keydir } from "../../lib/store/keydir.ts";
import { ReplayBatch } from "../../lib/store/replay_batch.ts";
import { memoryFile } from "../support/memory_file.ts";
import {
  assertExact,
  LAZY,
  logNames,
  openInMemory,
  PATH,
  scanAll,
  text,
  until,
} from "../support/test_store.ts";

const hinted = (fs: MemoryFileSystem) => logNames(fs).filter((name) => name.endsWith(".hint"));

test("keys are told apart across the edges of what is read at once", async () => {
  const fs = new MemoryFileSystem();
  const options = { durability: LAZY, segmentBytesMax: 5 << 19, checkpointRecordsMin: 10_000 };
  // Long enough that a segment fills the buffer twice, and a hint file has many blocks.
  const keyOf = (number: number) => `${number} `.padEnd(3000, `${number}-`);
  const expected = new Map<string, string>();
  {
    await using store = await openInMemory(options, fs);
    for (let number = 0; number < 1700; number++) {
      const key = keyOf(number % 1300);
      await store.set(key, `value ${number}`);
      expected.set(key, `value ${number}`);
      if (number % 5 !== 0) continue;
      await store.delete(key);
      expected.delete(key);
    }
    await until("every closed segment has its hint", () => hinted(fs).length === 2);
  }
  const check = async (hints: number) => {
    await using store = await openInMemory(options, fs);
    const { replay } = store.stats();
    assert.deepEqual([replay.hints, replay.checkpointKeys], [hints, 0]);
    const found = (await scanAll(store)).map(({ key, value }) => [key, text(value)]);
    assert.deepEqual(new Map(found as [string, string][]), expected);
    for (const [key, value] of expected) assert.equal(text(store.getSync(key)), value);
    await assertExact(store, fs);
  };
  await check(2);
  for (const name of hinted(fs)) fs.unlink(`${PATH}/wal/${name}`);
  await check(0);
});

/** A batch for a log of so many bytes, and a function that sets or deletes the key of a number. */
function batchOf(logBytes: number, now = 0) {
  const index = new KeyIndex({ hashSeed: 7 });
  const keydir = new Keydir(index, new SegmentSet());
  const segment = new Segment(1, memoryFile(new Uint8Array(0)), false, 1);
  keydir.segments.append(segment);
  const batch = new ReplayBatch(keydir, logBytes, now);
  const buffers = [new Uint8Array(4), new Uint8Array(4)];
  const find = (number: number) => {
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, number);
    return index.find(index.hash(key, 0, 4), key, 0, 4);
  };
  let lsn = 0;
  const add = (number: number, op = OP_SET, expiresAt = 0) => {
    // What was read before is overwritten by what is read now, after a word of warning.
    const bytes = buffers[lsn & 1]!;
    new DataView(bytes.buffer).setUint32(0, number);
    batch.add(op, bytes, 0, 4, segment, lsn * 100, 100, 5, ++lsn, expiresAt);
  };
  return { index, segment, batch, add, find };
}

test("records are applied in their order, and before those of another buffer", () => {
  const { index, segment, batch, add, find } = batchOf(1000, 50);
  add(1);
  add(2);
  add(1, OP_DELETE);
  add(3, OP_SET_EXPIRING, 51);
  add(2, OP_SET_EXPIRING, 50);
  add(4);
  batch.apply();
  batch.apply();
  assert.equal(batch.records, 6);
  assert.equal(index.size, 2);
  assert.deepEqual([1, 2].map(find), [0, 0]);
  assert.equal(index.expiresAt(find(3)), 51);
  assert.equal(index.lsn(find(4)), 6);
  assert.equal(segment.aliveBytes, 200);
  assert.notEqual(index.expiresAt(find(4)), ABSENT);
});

test("the index is made ready for the keys to come, and for no more", () => {
  const keys = 120_000;
  const ready = batchOf(keys * 100);
  const plain = batchOf(1);
  const fill = (from: number, to: number) => {
    for (const { batch, add } of [ready, plain]) {
      for (let number = from; number < to; number++) add(number);
      batch.apply();
    }
  };
  fill(0, 20_000);
  assert.ok(ready.index.usedBytes() > plain.index.usedBytes());
  fill(20_000, keys);
  assert.ok(ready.index.usedBytes() <= plain.index.usedBytes());
  for (const { index, find } of [ready, plain]) {
    assert.equal(index.size, keys);
    for (let number = 0; number < keys; number += 97) assert.notEqual(find(number), 0);
  }
  // Overwriting the same keys again and again gives no reason to expect more.
  const few = batchOf(keys * 100);
  for (let number = 0; number < keys / 2; number++) few.add(number % 5000);
  few.batch.apply();
  const same = batchOf(1);
  for (let number = 0; number < 5000; number++) same.add(number);
  same.batch.apply();
  assert.equal(few.index.usedBytes(), same.index.usedBytes());
});

test("what the index is made ready for in vain takes little", () => {
  const keys = 20_000;
  const long = batchOf(2 ** 40);
  const plain = batchOf(1);
  for (const { batch, add } of [long, plain]) {
    for (let number = 0; number < keys; number++) add(number);
    batch.apply();
  }
  const inVain = long.index.usedBytes() - plain.index.usedBytes();
  assert.ok(inVain > 0 && inVain <= 8 << 20, `${inVain} bytes`);
});
