/** Many readers, one writer and compaction, all at once, for a while. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { assertExact, DURABILITIES, turn } from "../support/test_store.ts";
import { SeededRandom } from "../support/seeded_random.ts";

/** At least so long, and until enough was done; on a busy machine that may take a while. */
const MILLIS_MIN = 1500;
const MILLIS_MAX = 60_000;
const KEYS = 300;
const READERS = 8;

/**
 * A value that says which key and which generation it is, all through: a torn one, or another
 * key's, or a mixture of two generations is noticed wherever it begins.
 */
function makeValue(key: number, generation: number): Uint8Array {
  const words = new Uint32Array(4 + (key * 31 + generation * 7) % 60 * (key % 50 === 0 ? 1000 : 1));
  for (let i = 0; i < words.length; i++) words[i] = key * 0x10000 + (generation % 0x10000) ^ i << 8;
  return new Uint8Array(words.buffer);
}

/** Which generation a value of a key is of; fails if it is not whole. */
function generationOf(key: number, value: Uint8Array): number {
  const words = new Uint32Array(value.slice().buffer);
  const generation = words[0]! - key * 0x10000;
  assert(generation >= 0 && generation < 0x10000, `value of another key under ${key}`);
  const expected = makeValue(key, generation);
  assert.equal(value.length, expected.length, `length of key ${key}`);
  for (let i = 0; i < value.length; i++) {
    if (value[i] !== expected[i]) assert.fail(`byte ${i} of key ${key}, generation ${generation}`);
  }
  return generation;
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: readers see whole values, and never an older one than was acknowledged`, {
    timeout: 3 * MILLIS_MAX,
  }, async () => {
    using directory = new TemporaryDirectory();
    await using store = await KvStore.open(directory.path, {
      durability,
      segmentBytesMax: 1 << 20,
      compaction: { deadRatio: 0.3, deadBytesMin: 1 << 18 },
    });
    /** Generation that was acknowledged last, of every key; 0 is deleted. */
    const acknowledged = new Int32Array(KEYS);
    const begun = new Int32Array(KEYS);
    const begin = performance.now();
    const counts = { writes: 0, reads: 0, scanned: 0 };
    const isEnough = () =>
      counts.writes > 200 && counts.reads > 200 && counts.scanned > KEYS &&
      store.stats().compactions > 3;
    const running = () => {
      const millis = performance.now() - begin;
      return millis < MILLIS_MIN || (millis < MILLIS_MAX && !isEnough());
    };

    const check = (key: number, value: Uint8Array | undefined, before: number) => {
      if (value === undefined) return;
      const generation = generationOf(key, value);
      assert(generation >= before, `key ${key}: ${generation} after ${before}`);
      assert(generation <= begun[key]!, `key ${key}: ${generation} was not written yet`);
    };

    const write = async () => {
      const random = new SeededRandom(1);
      for (let generation = 1; running() && generation < 0x10000; generation++) {
        const writes: Promise<void>[] = [];
        for (let i = 0; i < 20; i++) {
          const key = random.below(KEYS);
          if (begun[key] === generation) continue;
          begun[key] = generation;
          const value = makeValue(key, generation);
          writes.push(
            store.set(`key ${key}`, value).then(() => {
              acknowledged[key] = generation;
            }),
          );
        }
        await Promise.all(writes);
        counts.writes += writes.length;
        await turn();
      }
    };

    const read = async (seed: number) => {
      const random = new SeededRandom(seed);
      while (running()) {
        const key = random.below(KEYS);
        const before = acknowledged[key]!;
        const value = random.chance(0.5)
          ? await store.get(`key ${key}`)
          : (await store.getEntry(`key ${key}`))?.value;
        if (before > 0) assert(value !== undefined, `key ${key} is gone`);
        check(key, value, before);
        counts.reads++;
        if (random.chance(0.1)) await turn();
      }
    };

    const scan = async () => {
      while (running()) {
        const before = acknowledged.slice();
        let count = 0;
        for await (const { key, value } of store.scan()) {
          const number = Number(key.slice(4));
          check(number, value, before[number]!);
          count++;
          counts.scanned++;
        }
        assert(count >= before.filter((generation) => generation > 0).length);
        await turn();
      }
    };

    const compact = async () => {
      while (running()) {
        await store.compact();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };

    await Promise.all([
      write(),
      compact(),
      scan(),
      ...Array.from({ length: READERS }, (_, i) => read(100 + i)),
    ]);
    for (let key = 0; key < KEYS; key++) {
      const value = await store.get(`key ${key}`);
      assert.equal(value === undefined ? 0 : generationOf(key, value), acknowledged[key]);
    }
    await assertExact(store, nodeFileSystem);
    assert(isEnough(), JSON.stringify({ ...counts, compactions: store.stats().compactions }));
  });
}
