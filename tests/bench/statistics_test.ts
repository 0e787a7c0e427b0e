/** The arithmetic of the benchmarks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { median, quantile, ratiosOf, spreadOf } from "../../bench/statistics.ts";
import { makeKeys, NumberShuffle } from "../../bench/workload.ts";

test("median: the middle one, the mean of two in the middle, NaN of none", () => {
  assert.equal(median([30, 10, 20]), 20);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
  assert.equal(median([]), NaN);
});

test("median: leaves its argument as it is, and sorts numbers as numbers", () => {
  const values = [100, 9, 20];
  assert.equal(median(values), 20);
  assert.deepEqual(values, [100, 9, 20]);
});

test("quantile: the smallest value that so many do not exceed", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.equal(quantile(hundred, 0.99), 99);
  assert.equal(quantile(hundred, 0.999), 100);
  assert.equal(quantile(hundred, 0.5), 50);
  assert.equal(quantile(hundred, 0), 1);
  assert.equal(quantile([5], 0.99), 5);
  assert.equal(quantile([], 0.5), NaN);
});

test("spread: median and extremes", () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 });
});

test("ratios: round by round, as many as both have", () => {
  assert.deepEqual(ratiosOf([10, 20, 30], [5, 5]), [2, 4]);
  assert.deepEqual(ratiosOf([1], []), []);
});

test("workload: every key once, each of 16 bytes, in an order that is always the same", () => {
  const keys = makeKeys(1000);
  assert.equal(new Set(keys).size, 1000);
  assert(keys.every((key) => key.length === 16));
  assert.notDeepEqual(keys, keys.toSorted());
  assert.deepEqual(makeKeys(1000), keys);
});

test("workload: a shuffle goes through all numbers below its count, and again from the start", () => {
  const shuffle = new NumberShuffle(1000, 3);
  const once = Array.from({ length: 1000 }, () => shuffle.next());
  assert.deepEqual(
    once.toSorted((left, right) => left - right),
    Array.from({ length: 1000 }, (_, number) => number),
  );
  assert.notDeepEqual(once, once.toSorted((left, right) => left - right));
  assert.deepEqual(Array.from({ length: 1000 }, () => shuffle.next()), once);
});
