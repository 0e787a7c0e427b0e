import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ADDRESSES,
  ADDRESSES_END,
  BUCKET_MASK,
  clearAddress,
  findAddress,
  firstSlot,
  HINT,
  matchSlots,
  placeAddress,
  SLOTS,
  SLOTS_PER_BUCKET,
  tagPattern,
} from "../../lib/index/hash_shard.ts";
import { PAGE_WORDS } from "../../lib/index/page_pool.ts";
import { SeededRandom } from "./index_model.ts";

test("matching finds exactly the slots with the tag, whatever lies beside them", () => {
  const random = new SeededRandom(51);
  const view = new Int32Array(32);
  const tags = new Uint8Array(SLOTS_PER_BUCKET);
  for (let round = 0; round < 20_000; round++) {
    // Few different tags, and neighbours of the wanted one: these break inexact formulas.
    const wanted = random.below(256);
    for (let slot = 0; slot < SLOTS_PER_BUCKET; slot++) {
      tags[slot] = [wanted, wanted ^ 1, wanted ^ 0x80, 0, random.below(256)][random.below(5)]!;
    }
    for (let word = 0; word < 4; word++) {
      view[word] = tags.subarray(word * 4, word * 4 + 4)
        .reduce((value, tag, lane) => value | (tag << (lane * 8)), 0);
    }
    // Beside the last tags is a count, which may look like tags.
    view[3]! |= [0, wanted << 16, wanted << 24, random.below(2 ** 16) << 16][random.below(4)]!;
    const found: number[] = [];
    for (
      let slots = matchSlots(view, 0, Math.imul(wanted, 0x01010101));
      slots !== 0;
      slots &= slots - 1
    ) {
      found.push(firstSlot(slots));
    }
    const expected = [...tags.keys()].filter((slot) => tags[slot] === wanted);
    assert.deepEqual(found.sort((a, b) => a - b), expected);
  }
});

test("no hash has the tag of an empty slot", () => {
  for (let tag = 0; tag < 256; tag++) {
    const pattern = tagPattern((tag << 11) | 0xfff80000);
    assert.notEqual(pattern & 0xff, 0);
    assert.equal(pattern, Math.imul(pattern & 0xff, 0x01010101));
  }
});

test("a shard can be filled to the last slot, and is blank when emptied", () => {
  const base = 3 * PAGE_WORDS;
  const view = new Int32Array(base + 2 * PAGE_WORDS);
  const random = new SeededRandom(52);
  // Crowded into half of the buckets, with the wrap at the end in between.
  const hashes = Int32Array.from(
    { length: SLOTS },
    () => (random.below(2 ** 22) << 10) | ((750 + random.below(512)) & BUCKET_MASK),
  );
  hashes.forEach((hash, i) => {
    const word = placeAddress(view, base, hash, i + 1, ~i);
    assert.ok((word & 31) >= ADDRESSES && (word & 31) < ADDRESSES_END);
    assert.ok(view[word] === i + 1 && view[word + HINT] === ~i);
  });
  assert.throws(() => placeAddress(view.slice(), base, 5, 77, 0), /beyond its slots/);
  for (let i = 0; i < SLOTS; i += 7) {
    const word = findAddress(view, base, hashes[i]!, i + 1);
    assert.equal(view[word], i + 1);
    assert.equal(view[word + HINT], ~i);
  }
  assert.equal(findAddress(view, base, hashes[0]!, SLOTS + 1), -1);
  hashes.forEach((hash, i) => {
    clearAddress(view, base, hash, findAddress(view, base, hash, i + 1));
  });
  assert.ok(view.every((word) => word === 0));
});
