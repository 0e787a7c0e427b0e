/** ttl and expiresAt: keys that end by themselves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import {
  assertExact,
  DURABILITIES,
  openInMemory,
  scanAll,
  scanKeys,
  text,
  turn,
} from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

const NOW = 1_700_000_000_000;

for (const [name, durability] of DURABILITIES) {
  test(`${name}: a key is there until its time, and then as if deleted`, async () => {
    const clock = new TestClock({ nowMs: NOW });
    await using store = await openInMemory({ durability, clock });
    await store.set("a", "1", { ttl: 1000 });
    await store.set("b", "2", { expiresAt: NOW + 2000 });
    assert.deepEqual(await store.getEntry("a"), {
      key: "a",
      value: new TextEncoder().encode("1"),
      version: 1,
      expiresAt: NOW + 1000,
    });
    assert.equal((await scanAll(store))[1]?.expiresAt, NOW + 2000);
    clock.advance(999);
    assert.equal(text(await store.get("a")), "1");
    assert.equal(store.size, 2);
    clock.advance(1);
    assert.equal(await store.get("a"), undefined);
    assert.equal(store.getSync("a"), undefined);
    assert.equal(await store.getEntry("a"), undefined);
    assert.equal(store.has("a"), false);
    assert.deepEqual(await scanKeys(store), ["b"]);
    assert.equal(store.size, 1);
    assert.equal(store.stats().keys, 1);
  });

  test(`${name}: overwriting gives a key another end, or none`, async () => {
    const clock = new TestClock({ nowMs: NOW });
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability, clock }, fs);
    await store.set("longer", "1", { ttl: 10 });
    await store.set("longer", "2", { ttl: 100 });
    await store.set("shorter", "1", { ttl: 100 });
    await store.set("shorter", "2", { ttl: 10 });
    await store.set("never", "1", { ttl: 10 });
    await store.set("never", "2");
    await store.set("late", "1");
    await store.set("late", "2", { ttl: 10 });
    clock.advance(10);
    assert.deepEqual(await scanKeys(store), ["longer", "never"]);
    assert.equal((await store.getEntry("never"))?.expiresAt, undefined);
    await assertExact(store, fs, clock.now());
    clock.advance(90);
    assert.deepEqual(await scanKeys(store), ["never"]);
    await assertExact(store, fs, clock.now());
  });

  test(`${name}: expired keys leave the index and the alive bytes, a few at a time`, async () => {
    const clock = new TestClock({ nowMs: NOW });
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability, clock }, fs);
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 2000; i++) writes.push(store.set(`k${i}`, "v", { ttl: 1000 + i % 3 }));
    writes.push(store.set("stays", "v"));
    await Promise.all(writes);
    assert.equal(store.stats().expiringKeys, 2000);
    await store.set("k0", "v");
    await store.set("k1", "v", { ttl: 1500 });
    await store.delete("k2");
    assert.equal(store.stats().expiringKeys, 1998);
    await store.delete("k0");
    clock.advance(2000);
    for (let i = 0; i < 10; i++) await turn();
    assert.equal(store.size, 1);
    await assertExact(store, fs, clock.now());
    assert.equal(store.stats().indexKeyBytes, 5);
    assert.equal(store.stats().expiringKeys, 0);
  });

  test(`${name}: expired keys go by themselves, without anybody asking for them`, async () => {
    const clock = new TestClock({ nowMs: NOW });
    await using store = await openInMemory({ durability, clock });
    await store.set("later", "v", { ttl: 100_000 });
    await Promise.all(
      Array.from({ length: 1500 }, (_, i) => store.set(`k${i}`, "v", { ttl: 1000 + i % 3 })),
    );
    clock.advance(2000);
    for (let i = 0; i < 10; i++) await turn();
    // What was only hidden would be there again by the clock of before.
    clock.setNow(NOW);
    assert.deepEqual(await scanKeys(store), ["later"]);
    clock.setNow(NOW + 2000);
    clock.advance(98_000);
    await turn();
    clock.setNow(NOW);
    assert.deepEqual(await scanKeys(store), []);
  });

  test(`${name}: the end survives reopening, and passes while the store is closed`, async () => {
    const clock = new TestClock({ nowMs: NOW });
    const fs = new MemoryFileSystem();
    {
      await using store = await openInMemory({ durability, clock }, fs);
      await store.set("a", "1", { ttl: 1000 });
      await store.set("b", "2", { ttl: 5000 });
      await store.set("c", "old");
      await store.set("c", "3", { ttl: 1000 });
    }
    clock.advance(1000);
    await using store = await openInMemory({ durability, clock }, fs);
    assert.deepEqual(await scanKeys(store), ["b"]);
    assert.equal((await store.getEntry("b"))?.expiresAt, NOW + 5000);
    await assertExact(store, fs, clock.now());
    clock.advance(4000);
    assert.equal(store.size, 0);
  });

  test(`${name}: a time that is past already, and the latest there is`, async () => {
    const clock = new TestClock({ nowMs: NOW });
    const fs = new MemoryFileSystem();
    const latest = 8_640_000_000_000_000;
    {
      await using store = await openInMemory({ durability, clock }, fs);
      await store.set("a", "1");
      assert.deepEqual(await store.set("a", "2", { expiresAt: 1 }), { version: 2, created: false });
      assert.equal(store.has("a"), false);
      await store.set("b", "1", { expiresAt: latest });
      await store.set("c", "1", { ttl: latest - NOW });
      assert.equal((await store.getEntry("b"))?.expiresAt, latest);
      assert.equal((await store.getEntry("c"))?.expiresAt, latest);
      assert.equal(store.size, 2);
    }
    await using store = await openInMemory({ durability, clock }, fs);
    assert.deepEqual(await scanKeys(store), ["b", "c"]);
    assert.equal((await store.getEntry("c"))?.expiresAt, latest);
    await assertExact(store, fs, clock.now());
  });

  test(`${name}: with the clock set back, no older value of a key comes back`, async () => {
    const clock = new TestClock({ nowMs: NOW });
    const fs = new MemoryFileSystem();
    {
      await using store = await openInMemory({ durability, clock }, fs);
      await store.set("a", "old");
      await store.set("a", "new", { ttl: 1000 });
      clock.advance(1000);
      assert.equal(store.size, 0);
      clock.setNow(NOW);
      assert.equal(store.has("a"), false);
    }
    await using store = await openInMemory({ durability, clock }, fs);
    assert.notEqual(text(await store.get("a")), "old");
  });
}
