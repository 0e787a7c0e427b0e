/** The index as a stream of words: what comes back is the same index, and goes on like it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashKey } from "../../lib/index/key_hash.ts";
import { load, Refused, save } from "../support/memory_image.ts";
import { IndexModel, SeededRandom } from "./index_model.ts";

function runRandomly(model: IndexModel, random: SeededRandom, keys: number, steps: number): void {
  for (let step = 0; step < steps; step++) {
    const key = `key:${"x".repeat(random.below(90))}${random.below(keys)}`;
    const expiresAt = random.below(3) === 0 ? 1 + random.below(8_640_000_000_000_000) : 0;
    const choice = random.below(10);
    if (choice < 5) model.set(key, expiresAt);
    else if (choice < 9) model.delete(key);
    else model.relocate(key, random.below(2 ** 32), random.below(2 ** 31));
  }
}

test("an index that was saved and loaded again and again goes on as the same one", () => {
  const random = new SeededRandom(77);
  const model = new IndexModel();
  const hashSeedOf = model.index.hash(new Uint8Array([1]), 0, 1);
  for (let round = 0; round < 12; round++) {
    runRandomly(model, random, 20 << round, 3000);
    // The order's pages are left out, and are memory to be had again.
    if (round % 3 === 1) { while (!model.index.buildOrder(500)); }
    const used = model.index.usedBytes();
    model.index = load(save(model.index));
    assert.ok(model.index.usedBytes() <= used, "no more memory than before");
    assert.equal(model.index.memoryBytes(), model.index.usedBytes(), "what is free is not touched");
    assert.equal(model.index.hash(new Uint8Array([1]), 0, 1), hashSeedOf, "hashes stay the same");
    assert.equal(model.index.orderReady, false);
    model.check();
  }
  while (!model.index.buildOrder(500));
  runRandomly(model, random, 5000, 5000);
  model.check();
});

test("memory that was free is used again before the index grows", () => {
  const model = new IndexModel();
  const keyOf = (i: number) => `${i}${"-".repeat(500)}`;
  for (let i = 0; i < 4000; i++) model.set(keyOf(i));
  for (let i = 1; i < 4000; i++) model.delete(keyOf(i));
  const grown = model.index.memoryBytes();
  model.index = load(save(model.index));
  assert.ok(model.index.memoryBytes() < grown / 4);
  for (let i = 0; i < 4000; i++) model.set(keyOf(i));
  assert.ok(model.index.memoryBytes() <= grown);
  model.check();
});

test("an image of high addresses is loaded at the same addresses", () => {
  const model = new IndexModel({ slabFirst: 1000 });
  for (let i = 0; i < 20_000; i++) model.set(`key ${i} ${"-".repeat(i % 200)}`, i % 4);
  model.index = load(save(model.index), 1000);
  model.check();
  runRandomly(model, new SeededRandom(3), 3000, 3000);
  model.check();
});

test("shards that are chained come back with their chains", () => {
  // All in one slice of the hash space, which has room for fewer.
  const hash = (bytes: Uint8Array) => hashKey(bytes, 0, bytes.length, 1) & 0xffff;
  const model = new IndexModel({ hash });
  for (let i = 0; i < 30_000; i++) model.set(`key ${i}`, i % 4);
  model.index = load(save(model.index));
  model.check();
  for (let i = 0; i < 30_000; i += 2) model.delete(`key ${i}`);
  model.check();
});

test("an empty index can be saved and loaded", () => {
  const model = new IndexModel();
  model.index = load(save(model.index));
  model.check();
  model.set("key");
  model.check();
});

test("an image of another layout is refused", () => {
  const image = save(new IndexModel().index);
  image.parts[0]!.words[0]!++;
  assert.throws(() => load(image), Refused);
});

test("impossible words are refused, and none ends in a wrong index by itself", () => {
  const model = new IndexModel();
  for (let i = 0; i < 3000; i++) model.set(`key ${i}`, i % 2);
  const image = save(model.index);
  let refused = 0;
  for (const part of image.parts) {
    if (part.isPage) continue;
    for (const wrong of [-1, 0x7fffffff, -0x80000000]) {
      const right = part.words[0]!;
      part.words[0] = wrong;
      try {
        load(image);
      } catch (error) {
        if (error instanceof Refused) refused++;
        // The test's own reader notices a number of words that does not fit.
        else if (!(error instanceof assert.AssertionError)) throw error;
      }
      part.words[0] = right;
    }
  }
  assert.ok(refused >= 9, `${refused} refusals`);
  model.index = load(image);
  model.check();
});
