/** Keys and values of every size that is allowed, and of every kind of text. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import {
  assertExact,
  DURABILITIES,
  openInMemory,
  pattern,
  scanKeys,
  text,
} from "../support/test_store.ts";

const VALUE_LENGTHS = [
  0,
  1,
  2,
  255,
  4096,
  65_508,
  65_509,
  65_535,
  65_536,
  65_537,
  (1 << 20) - 100,
  1 << 20,
  (1 << 20) + 1,
  3 << 20,
  5_000_001,
];

for (const [name, durability] of DURABILITIES) {
  test(`${name}: values from nothing to several MiB, now and after reopening`, async () => {
    const fs = new MemoryFileSystem();
    const check = async (store: KvStore) => {
      for (const [seed, length] of VALUE_LENGTHS.entries()) {
        const expected = pattern(length, seed);
        assert.deepEqual(await store.get(`v${length}`), expected);
        assert.deepEqual(store.getSync(`v${length}`), expected);
      }
    };
    {
      await using store = await openInMemory({ durability }, fs);
      for (const [seed, length] of VALUE_LENGTHS.entries()) {
        await store.set(`v${length}`, pattern(length, seed));
        assert.deepEqual(await store.get(`v${length}`), pattern(length, seed));
      }
      await check(store);
      await assertExact(store, fs);
    }
    await using store = await openInMemory({ durability }, fs);
    await check(store);
    await store.set("v0", "no more");
    await store.compact();
    await store.set("v0", "");
    await check(store);
    assert.equal(store.has("v0"), true);
  });

  test(`${name}: many values at once, some longer than the write buffer`, async () => {
    await using store = await openInMemory({ durability });
    const lengths = [10, 2_000_000, 10, 1_500_000, 0, 1_100_000, 70_000, 20];
    await Promise.all(lengths.map((length, i) => store.set(`k${i}`, pattern(length, i))));
    for (const [i, length] of lengths.entries()) {
      assert.deepEqual(await store.get(`k${i}`), pattern(length, i));
    }
  });

  test(`${name}: text of every kind as a value`, async () => {
    await using store = await openInMemory({ durability });
    const values = [
      "",
      "plain",
      "\u0000\u0001",
      "\ufeffwith a byte order mark",
      "grüße, 世界, 😀, e\u0301, 👨‍👩‍👧",
      "a".repeat(4096),
      "ü".repeat(4096),
      "😀".repeat(2049), // longer than what gets room for the worst case unmeasured
      "世".repeat(700_000),
      "x".repeat(1_048_549) + "😀",
    ];
    for (const [i, value] of values.entries()) {
      await store.set(`k${i}`, value);
      await store.set(`t${i}`, value, { ttl: 1_000_000 });
    }
    for (const [i, value] of values.entries()) {
      assert.equal(Buffer.from((await store.get(`k${i}`))!).toString("utf8"), value);
      assert.equal(Buffer.from((await store.get(`t${i}`))!).toString("utf8"), value);
    }
  });

  test(`${name}: keys up to 65,536 bytes, in ASCII and beyond, as text and as bytes`, async () => {
    const fs = new MemoryFileSystem();
    const keys = [
      "k",
      "\u0000",
      "\u0000\u0000",
      "\u007f",
      "é",
      "😀",
      "👨‍👩‍👧‍👦 family",
      "\ufeffbom",
      "\uffff",
      "\u{10ffff}",
      "a/b//c\n\r\t",
      "k".repeat(65_535),
      "k".repeat(65_536),
      "é".repeat(32_768),
      "世".repeat(21_845),
      "😀".repeat(16_384),
      "k" + "😀".repeat(16_383) + "xyz",
    ];
    const check = async (store: KvStore) => {
      assert.equal(store.size, keys.length);
      for (const [i, key] of keys.entries()) {
        assert.equal(text(await store.get(key)), `${i}`);
        assert.equal(text(await store.get(new TextEncoder().encode(key))), `${i}`);
        assert.equal((await store.getEntry(key))?.key, key);
      }
      const inByteOrder = keys.map((key) => Buffer.from(key, "utf8")).sort(Buffer.compare);
      assert.deepEqual(await scanKeys(store), inByteOrder.map((key) => key.toString("utf8")));
    };
    {
      await using store = await openInMemory({ durability }, fs);
      for (const [i, key] of keys.entries()) await store.set(key, `${i}`);
      await check(store);
      await assertExact(store, fs);
      await store.compact();
      await check(store);
    }
    await using store = await openInMemory({ durability }, fs);
    await check(store);
    for (const key of keys) await store.delete(key);
    assert.equal(store.size, 0);
    assert.deepEqual(await scanKeys(store), []);
  });

  test(`${name}: limits of one's own for keys and values`, async () => {
    const options = { durability, keyBytesMax: 4, valueBytesMax: 10 };
    await using store = await openInMemory(options);
    await store.set("abcd", "0123456789");
    await store.set("éé", "ééééé");
    await store.set("😀", pattern(10));
    assert.deepEqual(await scanKeys(store), ["abcd", "éé", "😀"]);
    assert.deepEqual(await scanKeys(store, { prefix: "longer than any key" }), []);
  });
}

test("text that is no valid Unicode is refused as a value, rather than altered", async () => {
  const store = await openInMemory();
  await store.set("a", "before");
  await assert.rejects(store.set("a", "half \ud83d"), {
    code: "InvalidArgument",
    message: /surrogate.*pass bytes/,
  });
  assert.equal(text(store.getSync("a")), "before");
  await store.set("a", "whole \ud83d\ude00");
  assert.equal(text(store.getSync("a")), "whole \ud83d\ude00");
  await store.close();
});

test("a misspelt compaction option is told the names that exist", async () => {
  const compaction = { deadRatios: 0.5 } as object;
  await assert.rejects(openInMemory({ compaction }), {
    code: "InvalidArgument",
    message: /compaction\.deadRatios does not exist: the options are auto, deadRatio,/,
  });
});
