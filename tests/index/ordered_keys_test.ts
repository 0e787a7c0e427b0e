import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KeyRange } from "../../lib/index/key_range.ts";
import { IndexModel, SeededRandom, toBytes, toKey } from "./index_model.ts";

interface TextRange {
  lower?: string | undefined;
  lowerInclusive: boolean;
  upper?: string | undefined;
  upperInclusive: boolean;
  reverse: boolean;
}

function collect(model: IndexModel, range: TextRange, limit: number): string[] {
  const out = new Uint32Array(limit + 3);
  const bounds: KeyRange = {
    lowerInclusive: range.lowerInclusive,
    upperInclusive: range.upperInclusive,
    reverse: range.reverse,
  };
  if (range.lower !== undefined) bounds.lower = toBytes(range.lower);
  if (range.upper !== undefined) bounds.upper = toBytes(range.upper);
  const count = model.index.collect(bounds, limit, out);
  return [...out.subarray(0, count)].map((address) => model.keyAt(address));
}

function expectRange(model: IndexModel, sorted: string[], range: TextRange, limit: number): void {
  const { lower, upper } = range;
  const expected = sorted.filter((key) =>
    (lower === undefined || key > lower || (range.lowerInclusive && key === lower)) &&
    (upper === undefined || key < upper || (range.upperInclusive && key === upper))
  );
  if (range.reverse) expected.reverse();
  assert.deepEqual(collect(model, range, limit), expected.slice(0, limit));
}

function randomRange(random: SeededRandom, pick: () => string): TextRange {
  return {
    lower: random.below(5) === 0 ? undefined : pick(),
    lowerInclusive: random.below(2) === 0,
    upper: random.below(5) === 0 ? undefined : pick(),
    upperInclusive: random.below(2) === 0,
    reverse: random.below(2) === 0,
  };
}

test("keys come in the order of their bytes, prefixes first", () => {
  const model = new IndexModel();
  const texts = [
    "a",
    "b",
    "aa",
    "ab",
    "a\0",
    "a\0\0",
    "a\0b",
    "z",
    "é",
    "ß",
    "日本",
    "日",
    "😀",
    "\u{ffff}",
  ];
  const keys = texts.map((text) => toKey(new TextEncoder().encode(text)));
  keys.push("\0", "\0\0", "\0\0\0", "\0\0\0\0", "\0\0\0\0\0", "\xff", "\xff\xff", "\x7f", "\x80");
  for (const key of keys) model.set(key);
  while (!model.index.buildOrder(4));
  model.check();
  const sorted = [...model.entries.keys()].sort();
  const random = new SeededRandom(31);
  const bounds = [...keys, "", "a\0\0\0\0", "ab\0", "\xff\xff\xff", "m".repeat(70_000)];
  for (let i = 0; i < 2000; i++) {
    const range = randomRange(random, () => bounds[random.below(bounds.length)]!);
    expectRange(model, sorted, range, random.below(2) === 0 ? 100 : random.below(6));
  }
});

test("ranges over many leaves", () => {
  const model = new IndexModel();
  const random = new SeededRandom(32);
  for (let i = 0; i < 9000; i++) model.set(`user:${random.below(100_000)}`);
  while (!model.index.buildOrder(700));
  const sorted = [...model.entries.keys()].sort();
  for (let i = 0; i < 150; i++) {
    const pick = () => `user:${random.below(100_000)}`;
    expectRange(model, sorted, randomRange(random, pick), 1 + random.below(3000));
  }
  // Page by page, as a scan does, both ways.
  for (const reverse of [false, true]) {
    const found: string[] = [];
    let last: string | undefined;
    for (;;) {
      const [lower, upper] = reverse ? [undefined, last] : [last, undefined];
      const range = { lower, upper, lowerInclusive: false, upperInclusive: false, reverse };
      const page = collect(model, range, 333);
      if (page.length === 0) break;
      found.push(...page);
      last = page.at(-1)!;
    }
    assert.deepEqual(found, reverse ? sorted.toReversed() : sorted);
  }
});

test("the order is exact whatever changes while it is built", () => {
  const model = new IndexModel();
  const random = new SeededRandom(33);
  const name = () => `${random.below(60_000)}${"+".repeat(random.below(12))}`;
  for (let i = 0; i < 30_000; i++) model.set(name());
  let steps = 0;
  while (!model.index.buildOrder(1 + random.below(900))) {
    steps++;
    assert.equal(model.index.orderReady, false);
    // Grows the index past several splits, and moves records by evacuation and by expiry.
    for (let i = 0; i < 700; i++) model.set(name(), random.below(2));
    const keys = model.entries.keys();
    for (let i = 0; i < 300; i++) model.delete(keys.next().value!);
  }
  assert.ok(steps > 30);
  assert.ok(model.index.orderReady);
  assert.equal(model.index.buildOrder(1), true);
  model.check();
  for (let i = 0; i < 20_000; i++) {
    model.delete(name());
    model.set(name(), random.below(2));
  }
  model.check();
});

test("leaves fill, split, merge and vanish", () => {
  for (const order of ["ascending", "descending", "shuffled"]) {
    const model = new IndexModel();
    while (!model.index.buildOrder(1));
    const random = new SeededRandom(34);
    const numbers = Array.from({ length: 6000 }, (_, i) => i);
    if (order === "descending") numbers.reverse();
    if (order === "shuffled") numbers.sort(() => random.below(3) - 1);
    for (const number of numbers) model.set(String(number).padStart(6, "0"));
    model.check();
    numbers.sort(() => random.below(3) - 1);
    numbers.forEach((number, i) => {
      model.delete(String(number).padStart(6, "0"));
      if (i % 1000 === 0) model.checkOrder();
    });
    model.check();
    for (const number of numbers) model.set(String(number));
    model.check();
  }
});

test("any keys, any range", () => {
  const text = fc.uint8Array({ minLength: 0, maxLength: 10 })
    .map((bytes) => String.fromCharCode(...bytes.map((byte) => (byte % 4) * 85)));
  const keys = fc.uniqueArray(text.filter((key) => key.length > 0), { maxLength: 40 });
  const property = fc.property(
    keys,
    fc.option(text, { nil: undefined }),
    fc.option(text, { nil: undefined }),
    fc.boolean(),
    fc.boolean(),
    fc.boolean(),
    (keys, lower, upper, lowerInclusive, upperInclusive, reverse) => {
      const model = new IndexModel();
      for (const key of keys) model.set(key);
      while (!model.index.buildOrder(7));
      const range = { lower, upper, lowerInclusive, upperInclusive, reverse };
      expectRange(model, [...keys].sort(), range, 50);
    },
  );
  fc.assert(property, { numRuns: 150 });
});

test("before the first scan the order takes no memory", () => {
  const model = new IndexModel();
  for (let i = 0; i < 1000; i++) model.set(`${i}`);
  const before = model.index.usedBytes();
  for (let i = 0; i < 1000; i++) model.set(`${i}`);
  assert.equal(model.index.usedBytes(), before);
  const range = { lowerInclusive: true, reverse: false };
  assert.throws(() => model.index.collect(range, 1, new Uint32Array(1)), /order/);
  while (!model.index.buildOrder(100));
  assert.ok(model.index.usedBytes() > before);
});
