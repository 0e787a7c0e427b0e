import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyIndex } from "../../lib/index/key_index.ts";
import { IndexModel, SeededRandom, toBytes } from "./index_model.ts";

function runRandomly(model: IndexModel, random: SeededRandom, keys: number, steps: number): void {
  for (let step = 0; step < steps; step++) {
    const key = `key:${"x".repeat(random.below(7))}${random.below(keys)}`;
    const expiresAt = random.below(3) === 0 ? 1 + random.below(8_640_000_000_000_000) : 0;
    const choice = random.below(10);
    if (choice < 5) model.set(key, expiresAt);
    else if (choice < 9) model.delete(key);
    else model.relocate(key, random.below(2 ** 32), random.below(2 ** 31));
  }
}

test("an empty index answers every question", () => {
  const index = new KeyIndex({ hashSeed: 1 });
  const key = toBytes("absent");
  assert.equal(index.size, 0);
  assert.equal(index.find(index.hash(key, 0, 6), key, 0, 6), 0);
  assert.equal(index.find(0, new Uint8Array(1), 0, 1), 0);
  assert.equal(index.expireNext(Infinity), 0);
  assert.equal(index.nextExpiry(), Infinity);
  assert.equal(index.keyBytes(), 0);
  assert.equal(index.walk(0, () => assert.fail("nothing to visit")), -1);
  assert.equal(index.orderReady, false);
  assert.equal(index.buildOrder(1), false);
  while (!index.buildOrder(1));
  const out = new Uint32Array(4);
  const bound = toBytes("a");
  assert.equal(index.collect({ lowerInclusive: true, reverse: false }, 4, out), 0);
  const range = { lower: bound, lowerInclusive: true, upper: bound, upperInclusive: true };
  assert.equal(index.collect({ ...range, reverse: true }, 4, out), 0);
});

test("random operations agree with a Map", () => {
  const model = new IndexModel();
  const random = new SeededRandom(20_240_501);
  for (let round = 0; round < 8; round++) {
    runRandomly(model, random, 400 << round, 8000);
    if (round === 4) { while (!model.index.buildOrder(500)); }
    model.check();
  }
});

test("addresses beyond 2^31 work as others do", () => {
  // From the last slab below the sign bit, across it; without touching what lies before.
  const model = new IndexModel({ slabFirst: 511 });
  for (let i = 0; i < 20_000; i++) model.set(`key ${i} ${"-".repeat(i % 200)}`, i % 4);
  assert.ok(model.find("key 19999 " + "-".repeat(199)) < 0);
  while (!model.index.buildOrder(5000));
  runRandomly(model, new SeededRandom(3), 3000, 10_000);
  for (let i = 0; i < 20_000; i += 2) model.delete(`key ${i} ${"-".repeat(i % 200)}`);
  model.check();
  // Addresses that went through an array of unsigned numbers are accepted everywhere.
  const out = new Uint32Array(30_000);
  const count = model.index.collect({ lowerInclusive: true, reverse: false }, out.length, out);
  const address = out[count - 1]!;
  assert.ok(address > 2 ** 31);
  const key = model.keyAt(address);
  model.checkRecord(address, key);
  const moved = model.index.update(address, 1, 2, 3, 4, 5, model.index.expiresAt(address) ? 0 : 9);
  assert.equal(model.index.lsn(moved >>> 0), 5);
  model.index.remove(moved >>> 0);
  assert.equal(model.find(key), 0);
});

test("hashes are accepted signed and unsigned", () => {
  const unsigned = new IndexModel();
  const { index } = unsigned;
  unsigned.hash = (bytes) => index.hash(bytes, 0, bytes.length) >>> 0;
  while (!index.buildOrder(1));
  for (let i = 0; i < 1000; i++) unsigned.set(`k${i}`);
  unsigned.hash = (bytes) => index.hash(bytes, 0, bytes.length);
  unsigned.check();
});

test("any sequence of operations agrees with a Map", () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 9 })
    .map((bytes) => String.fromCharCode(...bytes.map((byte) => byte % 3)));
  const operation = fc.oneof(
    fc.record({ name: fc.constant("set"), key, expiresAt: fc.constantFrom(0, 0, 1, 5, 8.64e15) }),
    fc.record({ name: fc.constant("delete"), key, expiresAt: fc.constant(0) }),
    fc.record({ name: fc.constant("order"), key, expiresAt: fc.constant(0) }),
  );
  const property = fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
    const model = new IndexModel();
    for (const { name, key, expiresAt } of operations) {
      if (name === "set") model.set(key, expiresAt);
      else if (name === "delete") model.delete(key);
      else if (!model.index.orderReady) model.index.buildOrder(3);
    }
    while (!model.index.buildOrder(2));
    model.check();
  });
  fc.assert(property, { numRuns: 60 });
});

test("keys of every length up to the longest", () => {
  const model = new IndexModel();
  const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257, 4095, 32_768, 65_533, 65_535, 65_536];
  for (const length of lengths) {
    model.set("\xff".repeat(length), length % 2);
    model.set("\0".repeat(length));
    model.set("a".repeat(length - 1) + "\x80", 5);
  }
  model.check();
  while (!model.index.buildOrder(10));
  for (const length of lengths) model.set("\xff".repeat(length), (length + 1) % 2);
  model.check();
  for (const length of lengths) model.delete("\0".repeat(length));
  model.check();
  const tooLong = new Uint8Array(65_537);
  assert.equal(model.index.find(1, tooLong, 0, 65_537), 0);
  assert.equal(model.index.find(1, tooLong, 0, 0), 0);
  assert.throws(() => model.index.insert(1, tooLong, 0, 65_537, 1, 1, 1, 1, 1, 0), /65,536/);
  assert.throws(() => model.index.insert(1, tooLong, 0, 0, 1, 1, 1, 1, 1, 0), /1 to/);
});

test("keys are read from anywhere in a buffer", () => {
  const index = new KeyIndex({ hashSeed: 5 });
  const text = toBytes("abcdefghijklmnop");
  for (let start = 0; start < 8; start++) {
    const shifted = new Uint8Array(40).fill(1);
    shifted.set(text, start);
    const hash = index.hash(shifted, start, 13);
    assert.equal(hash, index.hash(text, 0, 13));
    if (start === 0) index.insert(hash, shifted, start, 13, 1, 2, 3, 4, 5, 0);
    const address = index.find(hash, shifted, start, 13);
    assert.notEqual(address, 0);
    assert.equal(index.find(hash, shifted, start, 12), 0);
    const target = new Uint8Array(20).fill(7);
    index.copyKey(address, target, 3);
    assert.deepEqual(target.subarray(0, 17), new Uint8Array([7, 7, 7, ...text.subarray(0, 13), 7]));
  }
});
