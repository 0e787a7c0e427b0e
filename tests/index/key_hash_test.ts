import assert from "node:assert/strict";
import { test } from "node:test";
import { hashKey } from "../../lib/index/key_hash.ts";
import { SeededRandom, toBytes } from "./index_model.ts";

function hashText(text: string, seed: number): number {
  return hashKey(toBytes(text), 0, text.length, seed);
}

test("hashes are signed 32-bit integers that depend on every byte, the length and the seed", () => {
  const text = "abcdefghijk";
  const seen = new Set<number>();
  for (let length = 0; length <= text.length; length++) {
    for (const seed of [0, 1, -1, 0x80000000]) seen.add(hashText(text.slice(0, length), seed));
  }
  for (let at = 0; at < text.length; at++) {
    seen.add(hashText(text.slice(0, at) + "?" + text.slice(at + 1), 0));
  }
  for (let zeros = 1; zeros < 9; zeros++) seen.add(hashText("\0".repeat(zeros), 5));
  assert.equal(seen.size, 12 * 4 + 11 + 8);
  for (const hash of seen) assert.equal(hash, hash | 0);
});

test("similar keys spread evenly over every group of bits that the index uses", () => {
  for (const seed of [0, 0x5bd1e995]) {
    for (const [shift, bits] of [[0, 11], [11, 8], [22, 10], [16, 8]] as const) {
      const counts = new Uint32Array(1 << bits);
      const count = 64 << bits;
      for (let i = 0; i < count; i++) {
        counts[(hashText(`user:${i}`, seed) >>> shift) & ((1 << bits) - 1)]!++;
      }
      // Chi-squared, in standard deviations from what chance gives.
      const chi = counts.reduce((sum, n) => sum + (n - 64) ** 2 / 64, 0);
      const deviation = (chi - counts.length) / Math.sqrt(2 * counts.length);
      assert.ok(Math.abs(deviation) < 5, `bits from ${shift}: ${deviation}`);
    }
  }
});

test("a flipped bit of the key flips about half of the hash", () => {
  const random = new SeededRandom(41);
  const key = new Uint8Array(16);
  let flipped = 0;
  let trials = 0;
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 16; i++) key[i] = random.below(256);
    const hash = hashKey(key, 0, 16, 7);
    for (let bit = 0; bit < 128; bit++) {
      key[bit >>> 3]! ^= 1 << (bit & 7);
      let difference = hash ^ hashKey(key, 0, 16, 7);
      for (; difference !== 0; difference &= difference - 1) flipped++;
      key[bit >>> 3]! ^= 1 << (bit & 7);
      trials++;
    }
  }
  assert.ok(Math.abs(flipped / trials - 16) < 0.2, `${flipped / trials} bits on average`);
});
