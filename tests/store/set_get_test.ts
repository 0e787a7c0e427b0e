/** set, get, getEntry, has, size, and their blocking forms. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DURABILITIES, openInMemory, text } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

for (const [name, durability] of DURABILITIES) {
  test(`${name}: what was set is there, with its version`, async () => {
    await using store = await openInMemory({ durability });
    assert.equal(await store.get("a"), undefined);
    assert.deepEqual(await store.set("a", "one"), { version: 1, created: true });
    assert.equal(text(await store.get("a")), "one");
    assert.deepEqual(await store.getEntry("a"), {
      key: "a",
      value: new TextEncoder().encode("one"),
      version: 1,
    });
    assert.equal(await store.getEntry("b"), undefined);
    assert.equal(store.has("a"), true);
    assert.equal(store.has("b"), false);
    assert.equal(store.size, 1);
  });

  test(`${name}: the last write of a key wins, and versions grow by one per record`, async () => {
    await using store = await openInMemory({ durability });
    const versions: number[] = [];
    for (const [key, value] of [["a", "1"], ["b", "2"], ["a", "3"], ["a", "4"]] as const) {
      versions.push((await store.set(key, value)).version);
    }
    versions.push((await store.delete("b")).version);
    versions.push((await store.set("b", "5")).version);
    assert.deepEqual(versions, [1, 2, 3, 4, 5, 6]);
    assert.equal(text(await store.get("a")), "4");
    assert.equal((await store.getEntry("a"))?.version, 4);
    assert.equal((await store.getEntry("b"))?.version, 6);
    assert.equal(store.size, 2);
    assert.equal(store.stats().version, 6);
  });

  test(`${name}: writes that are not waited for keep their order`, async () => {
    await using store = await openInMemory({ durability });
    const writes = Array.from({ length: 100 }, (_, i) => store.set(`k${i % 7}`, `v${i}`));
    const results = await Promise.all(writes);
    assert.deepEqual(results.map(({ version }) => version), results.map((_, i) => i + 1));
    for (let i = 93; i < 100; i++) {
      const entry = await store.getEntry(`k${i % 7}`);
      assert.equal(text(entry?.value), `v${i}`);
      assert.equal(entry?.version, i + 1);
    }
  });

  test(`${name}: the blocking forms do the same, and are done when they return`, async () => {
    await using store = await openInMemory({ durability });
    assert.deepEqual(store.setSync("a", "one"), { version: 1, created: true });
    assert.equal(text(store.getSync("a")), "one");
    assert.deepEqual(store.setSync("a", Uint8Array.of(0, 255)), { version: 2, created: false });
    assert.deepEqual(store.getSync("a"), Uint8Array.of(0, 255));
    assert.deepEqual(store.getEntrySync("a"), {
      key: "a",
      value: Uint8Array.of(0, 255),
      version: 2,
    });
    assert.deepEqual(store.deleteSync("a"), { version: 3 });
    assert.equal(store.getSync("a"), undefined);
    assert.equal(store.getEntrySync("a"), undefined);
    assert.deepEqual(
      store.batchSync([{ op: "set", key: "b", value: "2" }, { op: "set", key: "c", value: "3" }]),
      { version: 5 },
    );
    assert.equal(text(store.getSync("c")), "3");
    store.flushSync();
    assert.equal(store.stats().durableVersion, 5);
  });

  test(`${name}: a blocking write takes along what was in flight before it`, async () => {
    await using store = await openInMemory({ durability });
    const before = store.set("a", "1");
    assert.deepEqual(store.setSync("b", "2"), { version: 2, created: true });
    assert.equal(text(store.getSync("a")), "1");
    assert.deepEqual(await before, { version: 1, created: true });
    assert.equal(store.stats().writesInFlight, 0);
  });

  test(`${name}: bytes and text are the same key, and entries name it as text`, async () => {
    await using store = await openInMemory({ durability });
    const key = new TextEncoder().encode("schlüssel");
    await store.set(key, "1");
    assert.equal(text(await store.get("schlüssel")), "1");
    assert.equal((await store.getEntry(key))?.key, "schlüssel");
    await store.set("schlüssel", "2");
    assert.equal(text(await store.get(key)), "2");
    assert.equal(store.size, 1);
    await store.delete(key);
    assert.equal(store.has("schlüssel"), false);
  });

  test(`${name}: flush makes all that was written durable`, async () => {
    await using store = await openInMemory({ durability, clock: new TestClock() });
    await store.flush();
    const write = store.set("a", "1");
    await store.flush();
    assert.equal(store.stats().durableVersion, 1);
    assert.equal(store.stats().writesInFlight, 0);
    await write;
    store.setSync("a", "2");
    store.flushSync();
    assert.equal(store.stats().durableVersion, 2);
  });
}
