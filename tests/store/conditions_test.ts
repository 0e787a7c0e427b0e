/** ifAbsent, ifVersion and the checks of a batch; all of them see writes that are in flight. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvStore } from "../../lib/store/store.ts";
import type { BatchCheck } from "../../lib/store/types.ts";
import { failsWith } from "../support/kv_error.ts";
import { DURABILITIES, openInMemory, text } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

async function setExpiring(store: KvStore): Promise<{ expiresAt: number }> {
  await store.set("a", "1", { ttl: 5 });
  return { expiresAt: store.stat("a")!.expiresAt! };
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: ifAbsent writes only what is not there`, async () => {
    const clock = new TestClock();
    await using store = await openInMemory({ durability, clock });
    assert.deepEqual(await store.set("a", "1", { ifAbsent: true }), { version: 1, created: true });
    const { totalBytes } = store.stats();
    await failsWith(
      "ConditionFailed",
      /"a" exists already, with version 1: nothing was written/,
      () => store.set("a", "2", { ifAbsent: true }),
    );
    assert.equal(store.stats().totalBytes, totalBytes);
    assert.deepEqual(await store.set("a", "2", { ifAbsent: false }), {
      version: 2,
      created: false,
    });
    await store.delete("a");
    assert.deepEqual(await store.set("a", "3", { ifAbsent: true, ttl: 5 }), {
      version: 4,
      created: true,
    });
    await failsWith("ConditionFailed", /"a"/, () => store.set("a", "4", { ifAbsent: true }));
    clock.advance(5);
    assert.deepEqual(await store.set("a", "5", { ifAbsent: true }), { version: 5, created: true });
  });

  test(`${name}: ifVersion writes only over that version`, async () => {
    await using store = await openInMemory({ durability });
    await failsWith(
      "ConditionFailed",
      /"a" does not exist, not version 1/,
      () => store.set("a", "0", { ifVersion: 1 }),
    );
    await store.set("a", "1");
    assert.deepEqual(await store.set("a", "2", { ifVersion: 1 }), { version: 2, created: false });
    await failsWith(
      "ConditionFailed",
      /has version 2, not version 1/,
      () => store.set("a", "3", { ifVersion: 1 }),
    );
    await failsWith(
      "ConditionFailed",
      /not version 3/,
      () => store.set("a", "3", { ifVersion: 3 }),
    );
    assert.equal(text(await store.get("a")), "2");
  });

  test(`${name}: a set tells whether the key was there, writes in flight included`, async () => {
    const clock = new TestClock();
    await using store = await openInMemory({ durability, clock });
    const results = [
      store.set("a", "1"),
      store.set("a", "2"),
      store.delete("a"),
      store.set("a", "3", { ttl: 5 }),
      store.batch([{ op: "set", key: "a", value: "4" }, { op: "set", key: "b", value: "5" }]),
      store.set("b", "6", { ttl: 5 }),
    ];
    assert.deepEqual(await Promise.all(results), [
      { version: 1, created: true },
      { version: 2, created: false },
      { version: 3 },
      { version: 4, created: true },
      { version: 6 },
      { version: 7, created: false },
    ]);
    clock.advance(5);
    assert.deepEqual(await store.set("b", "7"), { version: 8, created: true });
  });

  test(`${name}: a set with ifVersion never creates, even if the key expires meanwhile`, async () => {
    const clock = new TestClock();
    await using store = await openInMemory({ durability, clock });
    await store.set("a", "1", { ttl: 5 });
    const result = store.set("a", "2", { ifVersion: 1 });
    clock.advance(5);
    assert.deepEqual(await result, { version: 2, created: false });
  });

  test(`${name}: nor if it expires right behind the condition`, async () => {
    const clock = new TestClock();
    await using store = await openInMemory({ durability, clock });
    const { expiresAt } = await setExpiring(store);
    let looks = 0;
    // The condition is the first to ask what time it is.
    clock.now = () => looks++ === 0 ? expiresAt - 1 : expiresAt;
    assert.deepEqual(await store.set("a", "2", { ifVersion: 1 }), { version: 2, created: false });
    assert(looks > 0);
  });

  test(`${name}: of many who set ifAbsent at once, one succeeds`, async () => {
    await using store = await openInMemory({ durability });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => store.set("a", `${i}`, { ifAbsent: true })),
    );
    assert.deepEqual(results.map(({ status }) => status), [
      "fulfilled",
      ...Array.from({ length: 19 }, () => "rejected"),
    ]);
    assert.equal(text(await store.get("a")), "0");
    assert.equal(store.stats().version, 1);
  });

  test(`${name}: increments that compare and set lose none, however they interleave`, async () => {
    await using store = await openInMemory({ durability });
    await store.set("n", "0");
    // Whoever lost must see what won when reading again: else the attempts have no end, and no
    // fsync ever gets its turn.
    let attempts = 0;
    const increment = async (): Promise<void> => {
      while (attempts++ < 10_000) {
        const { value, version } = (await store.getEntry("n"))!;
        try {
          await store.set("n", `${Number(text(value)) + 1}`, { ifVersion: version });
          return;
        } catch {
          // Somebody was quicker.
        }
      }
    };
    await Promise.all(Array.from({ length: 25 }, increment));
    assert.equal(text(await store.get("n")), "25");
  });

  test(`${name}: so do blocking ones, against a write that is in flight`, async () => {
    await using store = await openInMemory({ durability });
    store.setSync("n", "0");
    const inFlight = store.set("n", "1", { ifVersion: 1 });
    let attempts = 0;
    for (let done = false; !done && attempts < 10; attempts++) {
      const { value, version } = store.getEntrySync("n")!;
      try {
        store.setSync("n", `${Number(text(value)) + 1}`, { ifVersion: version });
        done = true;
      } catch {
        // The write in flight was quicker.
      }
    }
    await inFlight;
    assert.equal(text(store.getSync("n")), "2");
    assert(attempts <= 2);
    const deletion = store.delete("n");
    await failsWith("NotFound", /"n"/, () => store.deleteSync("n"));
    assert.equal(store.has("n"), false);
    await deletion;
  });

  test(`${name}: a chain of conditions on writes that are all in flight`, async () => {
    await using store = await openInMemory({ durability });
    const results = await Promise.all([
      store.set("a", "1", { ifAbsent: true }),
      store.set("a", "2", { ifVersion: 1 }),
      store.batch([{ op: "set", key: "a", value: "3" }, { op: "set", key: "b", value: "3" }], {
        checks: [{ key: "a", version: 2 }, { key: "b", version: null }],
      }),
      store.delete("a", { ifVersion: 3 }),
      store.set("a", "5", { ifAbsent: true }),
      store.batch([{ op: "del", key: "b" }], { checks: [{ key: "b", version: 4 }] }),
    ]);
    assert.deepEqual(results.map(({ version }) => version), [1, 2, 4, 5, 6, 7]);
    assert.equal(text(await store.get("a")), "5");
    assert.equal(store.has("b"), false);
  });

  test(`${name}: in flight, a condition that fails writes nothing`, async () => {
    await using store = await openInMemory({ durability });
    const first = store.set("a", "1");
    const failures = [
      failsWith("ConditionFailed", /"a"/, () => store.set("a", "2", { ifAbsent: true })),
      failsWith("ConditionFailed", /"a"/, () => store.set("a", "2", { ifVersion: 7 })),
      failsWith("ConditionFailed", /"a"/, () => {
        const checks: BatchCheck[] = [{ key: "b", version: null }, { key: "a", version: null }];
        return store.batch([{ op: "set", key: "b", value: "2" }], { checks });
      }),
    ];
    await Promise.all([first, ...failures]);
    assert.equal(store.has("b"), false);
    assert.equal(store.stats().version, 1);
  });

  test(`${name}: a value in flight whose time is over counts as absent`, async () => {
    const clock = new TestClock();
    await using store = await openInMemory({ durability, clock });
    const first = store.set("a", "1", { ttl: 5 });
    clock.advance(5);
    const second = store.set("a", "2", { ifAbsent: true });
    assert.deepEqual(await Promise.all([first, second]), [
      { version: 1, created: true },
      { version: 2, created: true },
    ]);
    assert.equal(text(await store.get("a")), "2");
  });

  test(`${name}: all checks of a batch must hold, also on keys that it does not write`, async () => {
    await using store = await openInMemory({ durability });
    await store.set("a", "1");
    await store.set("lock", "1");
    const write = (checks: BatchCheck[]) =>
      store.batch([{ op: "set", key: "a", value: "2" }, { op: "del", key: "lock" }], { checks });
    for (
      const checks of [
        [{ key: "lock", version: 1 }],
        [{ key: "lock", version: null }],
        [{ key: "lock", version: 2 }, { key: "a", version: 2 }],
        [{ key: "other", version: 1 }],
      ]
    ) await failsWith("ConditionFailed", /nothing was written/, () => write(checks));
    assert.equal(text(await store.get("a")), "1");
    assert.deepEqual(
      await write([{ key: "lock", version: 2 }, { key: "a", version: 1 }, {
        key: new TextEncoder().encode("other"),
        version: null,
      }]),
      { version: 4 },
    );
  });

  test(`${name}: checks hold against the state before the batch, not its own operations`, async () => {
    await using store = await openInMemory({ durability });
    const { version } = await store.batch([{ op: "set", key: "a", value: "1" }], {
      checks: [{ key: "a", version: null }],
    });
    assert.equal(version, 1);
    await failsWith(
      "ConditionFailed",
      /"a"/,
      () => store.batch([{ op: "del", key: "a" }], { checks: [{ key: "a", version: null }] }),
    );
  });
}
