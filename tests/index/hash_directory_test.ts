import assert from "node:assert/strict";
import { test } from "node:test";
import { IndexModel, SeededRandom } from "./index_model.ts";

/** Makes the hash of a key from the number in it, so that a test chooses where keys collide. */
function hashedBy(choose: (number: number) => number): IndexModel {
  return new IndexModel({
    hash: (bytes) => {
      let number = 0;
      for (const byte of bytes) {
        if (byte >= 48 && byte < 58) number = number * 10 + byte - 48;
      }
      return choose(number);
    },
  });
}

test("shards split as keys are added", () => {
  const model = new IndexModel();
  for (let i = 0; i < 80_000; i++) model.set(`key ${i}`);
  model.check();
  for (let i = 0; i < 80_000; i += 3) model.delete(`key ${i}`);
  model.check();
});

test("many keys with one hash", () => {
  const model = hashedBy(() => 0x12345678);
  for (let i = 0; i < 100; i++) model.set(`${i}`);
  model.check();
  // Beyond one page, without the search for each key that set() does.
  const { index } = model;
  const bytes = new Uint8Array(4);
  const view = new DataView(bytes.buffer);
  const count = 30_000;
  for (let i = 0; i < count; i++) {
    view.setUint32(0, 0x80000000 + i);
    index.insert(0x12345678, bytes, 0, 4, 1, i, 1, 1, i, 0);
  }
  assert.equal(index.size, count + 100);
  const seen = new Uint8Array(count);
  for (let cursor = 0; cursor >= 0;) {
    cursor = index.walk(cursor, (address) => {
      if (index.fileId(address) === 1) seen[index.offset(address)]!++;
    });
  }
  assert.ok(seen.every((times) => times === 1));
  for (let i = 0; i < count; i += 97) {
    view.setUint32(0, 0x80000000 + i);
    const address = index.find(0x12345678, bytes, 0, 4);
    assert.equal(index.offset(address), i);
    index.remove(address);
    assert.equal(index.find(0x12345678, bytes, 0, 4), 0);
  }
  while (!index.buildOrder(1000));
  view.setUint32(0, 0x80000000);
  const out = new Uint32Array(count);
  const taken = index.collect({ lower: bytes, lowerInclusive: true, reverse: false }, count, out);
  assert.equal(taken, count - Math.ceil(count / 97));
  for (let i = 1; i < taken; i++) assert.ok(index.offset(out[i - 1]!) < index.offset(out[i]!));
  model.entries.forEach((_meta, key) => model.checkRecord(model.find(key), key));
});

test("hashes that differ only where splitting does not help", () => {
  // One entry of the deepest directory, all buckets: the shard is chained beyond its page.
  const model = hashedBy((number) => (0xabcd0000 | (number & 0xffff)) | 0);
  for (let i = 0; i < 45_000; i++) model.set(`${i}`);
  model.check();
  for (let i = 0; i < 45_000; i++) if (i % 5 !== 0) model.delete(`${i}`);
  model.check();
  for (let i = 0; i < 45_000; i++) model.set(`${i}`, i % 2);
  model.check();
});

test("one bucket, and the wrap from the last bucket to the first", () => {
  for (const bucket of [0, 2047]) {
    const random = new SeededRandom(bucket);
    const model = hashedBy((number) => (Math.imul(number, 0x9e3779b1) & ~2047) | bucket);
    for (let step = 0; step < 6000; step++) {
      const key = `${random.below(1500)}`;
      if (random.below(3) > 0) model.set(key);
      else model.delete(key);
    }
    model.check();
    for (const key of [...model.entries.keys()]) model.delete(key);
    model.check();
    // No count of records that passed over a bucket may have remained, or misses grow slow.
    for (let i = 0; i < 20; i++) model.set(`${i}`);
    model.check();
  }
});

test("a split puts records that wrapped around back in place", () => {
  // Crowds the last buckets with hashes of both halves, until the shard splits.
  const model = hashedBy((number) =>
    number % 3 === 0
      ? (Math.imul(number, 0x9e3779b1) | 2040)
      : Math.imul(number, 0x85ebca6b) ^ (number << 3)
  );
  for (let i = 0; i < 60_000; i++) model.set(`${i}`);
  model.check();
});

test("a walk visits what is present throughout exactly once, while shards split", () => {
  const model = new IndexModel();
  for (let i = 0; i < 30_000; i++) model.set(`old ${i}`);
  for (let i = 0; i < 2000; i++) model.set(`gone ${i}`);
  const times = new Map<string, number>();
  const visit = (address: number) => {
    const key = model.keyAt(address);
    times.set(key, (times.get(key) ?? 0) + 1);
  };
  let added = 0;
  let calls = 0;
  let shards = 0;
  for (let cursor = 0; cursor >= 0; shards++) cursor = model.index.walk(cursor, () => {});
  for (let cursor = 0; cursor >= 0;) {
    cursor = model.index.walk(cursor, visit);
    calls++;
    for (let i = 0; i < 20_000; i++) model.set(`new ${added++}`);
    for (let i = 0; i < 100; i++) model.delete(`gone ${calls * 100 + i}`);
    for (let i = 0; i < 100; i++) model.set(`old ${i}`, calls % 2);
  }
  assert.ok(calls > shards, "shards have split during the walk");
  for (let i = 0; i < 30_000; i++) assert.equal(times.get(`old ${i}`), 1);
  for (const [key, count] of times) assert.equal(count, 1, key);
});
