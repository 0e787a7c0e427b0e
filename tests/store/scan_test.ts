/** scan: order, bounds, and what it sees of changes that are made meanwhile. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import {
  DURABILITIES,
  LAZY,
  openInMemory,
  pattern,
  scanAll,
  scanKeys,
  text,
  turn,
} from "../support/test_store.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TestClock } from "../support/test_clock.ts";

const byBytes = (left: string, right: string) =>
  Buffer.compare(Buffer.from(left), Buffer.from(right));

for (const [name, durability] of DURABILITIES) {
  test(`${name}: bounds, prefixes, limits and both directions`, async () => {
    await using store = await openInMemory({ durability });
    const keys = ["a", "a\u0000", "aa", "ab", "b", "ba", "é", "世", "\uffff", "😀"];
    for (const key of [...keys].reverse()) await store.set(key, `value of ${key}`);
    assert.deepEqual(await scanKeys(store), keys);
    assert.deepEqual(await scanKeys(store, {}), keys);
    assert.deepEqual(await scanKeys(store, { reverse: true }), [...keys].reverse());
    const cases: [Parameters<typeof store.scan>[0], string[]][] = [
      [{ prefix: "a" }, ["a", "a\u0000", "aa", "ab"]],
      [{ prefix: "" }, keys],
      [{ prefix: "aaa" }, []],
      [{ prefix: "😀" }, ["😀"]],
      [{ prefix: Uint8Array.of(0xf0) }, ["😀"]],
      [{ prefix: Uint8Array.of(0xff) }, []],
      [{ prefix: Uint8Array.of(0xff, 0xff) }, []],
      [{ start: "ab" }, ["ab", "b", "ba", "é", "世", "\uffff", "😀"]],
      [{ start: "abc" }, ["b", "ba", "é", "世", "\uffff", "😀"]],
      [{ end: "ab" }, ["a", "a\u0000", "aa"]],
      [{ end: "" }, []],
      [{ start: "aa", end: "b" }, ["aa", "ab"]],
      [{ start: "b", end: "aa" }, []],
      [{ start: "b", end: "b" }, []],
      [{ prefix: "a", start: "aa" }, ["aa", "ab"]],
      [{ prefix: "a", end: "aa" }, ["a", "a\u0000"]],
      [{ prefix: "b", start: "a" }, ["b", "ba"]],
      [{ prefix: "a", start: "b" }, []],
      [{ start: Uint8Array.of(0xf0, 0x9f) }, ["😀"]],
      [{ limit: 0 }, []],
      [{ limit: 3 }, ["a", "a\u0000", "aa"]],
      [{ limit: 100 }, keys],
      [{ limit: Infinity }, keys],
      [{ prefix: "a", limit: 2 }, ["a", "a\u0000"]],
    ];
    for (const [options, expected] of cases) {
      assert.deepEqual(await scanKeys(store, options), expected, JSON.stringify(options));
      if (options?.limit !== undefined) continue;
      assert.deepEqual(
        await scanKeys(store, { ...options, reverse: true }),
        expected.toReversed(),
        JSON.stringify(options),
      );
    }
    assert.deepEqual(await scanKeys(store, { reverse: true, limit: 2 }), ["😀", "\uffff"]);
    assert.deepEqual(await scanKeys(store, { prefix: "a", reverse: true, limit: 1 }), ["ab"]);
  });

  test(`${name}: entries are complete; with values: false they have its size instead`, async () => {
    const clock = new TestClock();
    await using store = await openInMemory({ durability, clock });
    await store.set("a", "1");
    await store.set("b", "2", { ttl: 1000 });
    const [a, b] = await scanAll(store);
    assert.deepEqual(a, { key: "a", value: new TextEncoder().encode("1"), version: 1 });
    assert.equal(text(b?.value), "2");
    assert.equal(b?.expiresAt, clock.now() + 1000);
    const [bare] = await scanAll(store, { values: false });
    assert.deepEqual(bare, { key: "a", value: new Uint8Array(0), version: 1, size: 1 });
  });
}

test("any keys come in the order of their bytes, whatever bounds are given", async () => {
  const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 })
    .filter((key) => key.isWellFormed());
  const bound = fc.option(fc.oneof(key, fc.constant("")), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(key, { maxLength: 40 }),
      bound,
      bound,
      bound,
      fc.boolean(),
      async (keys, prefix, start, end, reverse) => {
        await using store = await openInMemory({ durability: LAZY });
        for (const key of keys) await store.set(key, "");
        const expected = keys.filter((key) =>
          key.startsWith(prefix ?? "") && (start === undefined || byBytes(key, start) >= 0) &&
          (end === undefined || byBytes(key, end) < 0)
        ).sort(byBytes);
        const options = Object.fromEntries(
          Object.entries({ prefix, start, end }).filter(([, value]) => value !== undefined),
        );
        assert.deepEqual(
          await scanKeys(store, { ...options, reverse }),
          reverse ? expected.reverse() : expected,
        );
      },
    ),
    { numRuns: 100 },
  );
});

test("pages end at long values too, and nothing is skipped or doubled there", async () => {
  await using store = await openInMemory({ durability: LAZY });
  for (let i = 0; i < 40; i++) await store.set(String(i).padStart(3, "0"), pattern(300_000, i));
  for (const reverse of [false, true]) {
    const entries = await scanAll(store, { reverse });
    const keys = entries.map(({ key }) => Number(key));
    assert.deepEqual(keys, Array.from({ length: 40 }, (_, i) => reverse ? 39 - i : i));
    for (const { key, value } of entries) assert.deepEqual(value, pattern(300_000, Number(key)));
  }
});

for (const reverse of [false, true]) {
  const direction = reverse ? "backwards" : "forwards";
  test(`${direction}: during changes, keys that stay are seen exactly once, in order`, async () => {
    await using store = await openInMemory({ durability: LAZY });
    const random = new SeededRandom(7);
    const stable = Array.from({ length: 3000 }, (_, i) => `s${String(i * 3).padStart(5, "0")}`);
    for (const key of stable) store.setSync(key, key);
    const gone = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const seen: string[] = [];
      for await (const { key, value } of store.scan({ reverse })) {
        seen.push(key);
        assert.equal(text(value), key);
        // New and passing keys all over the place, and new values for those that stay.
        for (let i = 0; i < 3; i++) {
          const passing = `s${String(random.below(9000)).padStart(5, "0")}x`;
          if (random.chance(0.5)) store.setSync(passing, passing);
          else if (store.has(passing)) {
            store.deleteSync(passing);
            gone.add(passing);
          }
        }
        store.setSync(key, key);
        if (random.chance(0.01)) await turn();
        if (random.chance(0.001)) await store.compact();
      }
      for (let i = 1; i < seen.length; i++) {
        const order = byBytes(seen[i - 1]!, seen[i]!);
        assert(reverse ? order > 0 : order < 0, `${seen[i - 1]} before ${seen[i]}`);
      }
      assert.deepEqual(
        seen.filter((key) => !key.endsWith("x")),
        reverse ? stable.toReversed() : stable,
      );
    }
    assert(gone.size > 100);
  });
}

test("keys that expire during a scan are not seen from then on", async () => {
  const clock = new TestClock();
  await using store = await openInMemory({ durability: LAZY, clock });
  for (let i = 0; i < 1000; i++) {
    store.setSync(String(i).padStart(4, "0"), "", i % 2 === 0 ? {} : { ttl: 1000 });
  }
  const seen: string[] = [];
  for await (const { key } of store.scan()) {
    seen.push(key);
    if (seen.length === 100) clock.advance(1000);
  }
  // A page that was collected before may still be handed out.
  assert(seen.length < 1000 - 200);
  assert.equal(seen.filter((key) => Number(key) % 2 === 0).length, 500);
  assert.deepEqual(seen.slice(400).filter((key) => Number(key) % 2 === 1), []);
});

test("several scans at once, abandoned ones included, do not disturb each other", async () => {
  await using store = await openInMemory({ durability: LAZY });
  for (let i = 0; i < 2000; i++) store.setSync(String(i).padStart(4, "0"), "");
  const abandoned = store.scan();
  await abandoned.next();
  for await (const _ of store.scan({ start: "1000" })) break;
  const counts = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => (await scanKeys(store, { start: `${i}` })).length),
  );
  assert.deepEqual(counts, [2000, 1000, 0, 0, 0, 0, 0, 0]);
  await abandoned.return?.();
  assert.equal((await abandoned.next()).done, true);
});
