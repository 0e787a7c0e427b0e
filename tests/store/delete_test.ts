/** delete and deleteSync. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { failsWith, throwsAtOnce } from "../support/kv_error.ts";
import { DURABILITIES, openInMemory, scanKeys, text } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

for (const [name, durability] of DURABILITIES) {
  test(`${name}: a deleted key is gone until it is set again`, async () => {
    await using store = await openInMemory({ durability });
    await store.set("a", "1");
    await store.set("b", "2");
    assert.deepEqual(await store.delete("a"), { version: 3 });
    assert.equal(await store.get("a"), undefined);
    assert.equal(store.has("a"), false);
    assert.equal(store.size, 1);
    assert.deepEqual(await scanKeys(store), ["b"]);
    await store.set("a", "3");
    assert.equal(text(await store.get("a")), "3");
  });

  test(`${name}: deleting a key that does not exist is NotFound and writes nothing`, async () => {
    await using store = await openInMemory({ durability });
    await store.set("a", "1");
    const before = store.stats();
    await failsWith("NotFound", /"nobody" does not exist/, () => store.delete("nobody"));
    throwsAtOnce("NotFound", /"nobody" does not exist/, () => store.deleteSync("nobody"));
    await store.delete("a");
    await failsWith("NotFound", /"a"/, () => store.delete("a"));
    const after = store.stats();
    assert.equal(after.version, before.version + 1);
    assert.equal(after.totalBytes - before.totalBytes < 100, true);
  });

  test(`${name}: delete sees writes in flight`, async () => {
    await using store = await openInMemory({ durability });
    const set = store.set("a", "1");
    const del = store.delete("a");
    const again = failsWith("NotFound", /"a"/, () => store.delete("a"));
    const reset = store.set("a", "2");
    assert.deepEqual(await Promise.all([set, del, reset]), [
      { version: 1, created: true },
      { version: 2 },
      { version: 3, created: true },
    ]);
    await again;
    assert.equal(text(await store.get("a")), "2");
  });

  test(`${name}: an expired key cannot be deleted any more`, async () => {
    const clock = new TestClock();
    await using store = await openInMemory({ durability, clock });
    await store.set("a", "1", { ttl: 10 });
    clock.advance(10);
    await failsWith("NotFound", /"a"/, () => store.delete("a"));
    // The same, while the set is still in flight.
    const set = store.set("b", "1", { ttl: 10 });
    clock.advance(10);
    await failsWith("NotFound", /"b"/, () => store.delete("b"));
    await set;
  });

  test(`${name}: delete ifVersion`, async () => {
    await using store = await openInMemory({ durability });
    const { version } = await store.set("a", "1");
    await store.set("a", "2");
    await failsWith(
      "ConditionFailed",
      /"a" has version 2, not version 1/,
      () => store.delete("a", { ifVersion: version }),
    );
    assert.equal(text(await store.get("a")), "2");
    assert.deepEqual(await store.delete("a", { ifVersion: 2 }), { version: 3 });
    await failsWith("NotFound", /"a"/, () => store.delete("a", { ifVersion: 2 }));
  });
}
