import assert from "node:assert/strict";
import { test } from "node:test";
import { IndexModel, SeededRandom } from "./index_model.ts";

function expireAll(model: IndexModel, now: number): number[] {
  const times: number[] = [];
  for (;;) {
    const address = model.index.expireNext(now);
    if (address === 0) return times;
    assert.equal(model.index.expireNext(now), address, "the same until it is removed");
    const key = model.keyAt(address);
    model.checkRecord(address, key);
    times.push(model.index.expiresAt(address));
    model.delete(key);
  }
}

test("records expire in order, and only when their time has come", () => {
  const model = new IndexModel();
  const random = new SeededRandom(21);
  for (let i = 0; i < 20_000; i++) model.set(`${i}`, i % 4 === 0 ? 0 : 1 + random.below(1_000_000));
  model.check();
  const expected = [...model.entries.values()].map((meta) => meta.expiresAt)
    .filter((expiresAt) => expiresAt !== 0).sort((a, b) => a - b);
  const early = expireAll(model, 400_000);
  assert.equal(model.index.expireNext(400_000), 0);
  assert.ok(model.index.nextExpiry() > 400_000);
  model.check();
  const late = expireAll(model, Infinity);
  assert.deepEqual([...early, ...late], expected);
  assert.equal(early.length, expected.filter((expiresAt) => expiresAt <= 400_000).length);
  model.check();
  assert.equal(model.index.size, 5000);
});

test("overwriting, deleting and moving records leaves nothing stale in the queue", () => {
  const model = new IndexModel();
  const random = new SeededRandom(22);
  for (let step = 0; step < 40_000; step++) {
    const key = `${random.below(3000)}`;
    const choice = random.below(8);
    if (choice === 0) model.delete(key);
    else model.set(key, choice < 3 ? 0 : 1 + random.below(10_000));
    if (step % 500 === 0) expireAll(model, random.below(300));
  }
  model.check();
  const expected = [...model.entries.values()].map((meta) => meta.expiresAt)
    .filter((expiresAt) => expiresAt !== 0).sort((a, b) => a - b);
  assert.deepEqual(expireAll(model, Infinity), expected);
  assert.equal(model.index.nextExpiry(), Infinity);
  model.check();
});

test("expiry times keep every millisecond up to the last one", () => {
  const model = new IndexModel();
  const times = [1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 1_800_000_000_001, 8_640_000_000_000_000];
  times.forEach((expiresAt, i) => model.set(`${i}`, expiresAt));
  model.check();
  for (const expiresAt of times) {
    assert.equal(model.index.nextExpiry(), expiresAt);
    assert.equal(model.index.expireNext(expiresAt - 1), 0);
    model.index.remove(model.index.expireNext(expiresAt));
  }
});
