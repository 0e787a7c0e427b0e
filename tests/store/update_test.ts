/** Reading and writing at once: `update`, which sees writes in flight and lets nothing between. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { BatchOp } from "../../lib/store/types.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TestClock } from "../support/test_clock.ts";
import { DURABILITIES, openInMemory, pattern, text, turn, until } from "../support/test_store.ts";

function append(store: KvStore, key: string, more: string): Promise<{ version: number }> {
  return store.update((newest) => [
    { op: "set", key, value: (text(newest(key)?.value) ?? "") + more },
  ]);
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: updates of one key follow each other without a gap`, async () => {
    await using store = await openInMemory({ durability });
    const letters = "abcdefghijklmnopqrstuvwxyz";
    const results = await Promise.all([...letters].map((letter) => append(store, "k", letter)));
    assert.equal(text(await store.get("k")), letters);
    assert.deepEqual(results.map(({ version }) => version), [...letters].map((_, i) => i + 1));
  });

  test(`${name}: an update sees sets, deletes, batches, and expiries`, async () => {
    const clock = new TestClock();
    await using store = await openInMemory({ durability, clock });
    const seen = async (key: string) => {
      let entry: unknown;
      await store.update((newest) => {
        entry = newest(key);
        return [];
      });
      return entry;
    };
    const value = new TextEncoder().encode("1");
    const writes: Promise<unknown>[] = [store.set("a", "1")];
    assert.deepEqual(await seen("a"), { key: "a", value, version: 1 });
    writes.push(store.delete("a"));
    assert.equal(await seen("a"), undefined);
    writes.push(store.batch([{ op: "set", key: "a", value: "0" }, { op: "set", key: "é", value }]));
    assert.deepEqual(await seen("é"), { key: "é", value, version: 4 });
    writes.push(store.set("a", "1", { ttl: 10 }));
    const expiresAt = clock.now() + 10;
    assert.deepEqual(await seen("a"), { key: "a", value, version: 5, expiresAt });
    writes.push(store.set("a", "1", { ttl: 10 }));
    clock.advance(10);
    assert.equal(await seen("a"), undefined);
    await Promise.all(writes);
    assert.equal(await seen("missing"), undefined);
    assert.deepEqual(await seen("é"), { key: "é", value, version: 4 });
  });

  test(`${name}: what is read stays right across rotations and long values`, async () => {
    await using store = await openInMemory({ durability, segmentBytesMax: 8192 });
    const writes: Promise<unknown>[] = [];
    for (let round = 0; round < 12; round++) {
      const value = pattern(round % 3 === 0 ? 100_000 : 3000, round);
      writes.push(store.set(`k${round}`, value));
      writes.push(store.update((newest) => {
        for (let i = 0; i <= round; i++) {
          const expected = pattern(i % 3 === 0 ? 100_000 : 3000, i);
          assert.deepEqual(newest(`k${i}`)?.value, expected);
        }
        return [{ op: "set", key: "sum", value: String(round) }];
      }));
    }
    await Promise.all(writes);
    assert.equal(text(await store.get("sum")), "11");
  });

  test(`${name}: bytes that were read are the reader's own`, async () => {
    await using store = await openInMemory({ durability });
    const write = store.set("a", "abc");
    await store.update((newest) => {
      newest("a")!.value.fill(0);
      assert.equal(text(newest("a")!.value), "abc");
      return [];
    });
    await write;
    assert.equal(text(await store.get("a")), "abc");
  });

  test(`${name}: a change that throws, or asks for nonsense, writes nothing`, async () => {
    await using store = await openInMemory({ durability });
    await store.set("a", "1");
    const { totalBytes } = store.stats();
    const thrown = new Error("no");
    await assert.rejects(
      store.update(() => {
        throw thrown;
      }),
      thrown,
    );
    await failsWith(
      "InvalidArgument",
      /ops/,
      () => store.update((() => Promise.resolve([])) as unknown as () => BatchOp[]),
    );
    await failsWith("InvalidKey", /Key/, () =>
      store.update((newest) => {
        newest("");
        return [];
      }));
    await failsWith("InvalidKey", /Key/, () =>
      store.update(() => [
        { op: "set", key: "b", value: "1" },
        { op: "del", key: "" },
      ]));
    assert.equal(store.stats().totalBytes, totalBytes);
  });
}

test("what was only read is waited for, also if the change throws because of it", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  using gate = new Gate();
  fs.beforeSyncAsync = () => gate.pass();
  const done: string[] = [];
  const writes = [store.set("a", "1"), store.set("b", "1")];
  await until("the fsync has begun", () => gate.waiting > 0);
  const reading = store.update((newest) => {
    assert.equal(text(newest("a")?.value), "1");
    return [];
  });
  const refused = store.update((newest) => {
    throw new Error(`a is ${text(newest("a")?.value)}`);
  });
  reading.then(() => done.push("reading"));
  refused.catch(() => done.push("refused"));
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual(done, []);
  gate.open();
  await Promise.all(writes);
  assert.deepEqual(await reading, { version: 2 });
  await assert.rejects(refused, /a is 1/);
});

test("if what was read is lost, the update says so instead", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  const store = await openInMemory({}, fs);
  fs.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
  const lost = [store.set("a", "1"), store.set("b", "2")];
  const reading = store.update((newest) => {
    assert.equal(text(newest("a")?.value), "1");
    return [];
  });
  const refused = store.update((newest) => {
    throw new Error(`a is ${text(newest("a")?.value)}`);
  });
  for (const each of [...lost, reading, refused]) await failsWith("Io", /./, () => each);
  await store.close();
});

test("newest entries are not to be had once the change has returned", async () => {
  await using store = await openInMemory();
  let kept: ((key: string) => unknown) | undefined;
  await store.update((newest) => {
    kept = newest;
    return [];
  });
  assert.throws(() => kept!("a"), { code: "InvalidArgument" });
});

test("a closed store, and one opened for reading, refuse updates", async () => {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({}, fs);
  await store.set("a", "1");
  await store.close();
  await failsWith("Closed", /closed/, () => store.update(() => []));
  await using reader = await openInMemory({ readOnly: true }, fs);
  await failsWith("ReadOnly", /readOnly/, () => reader.update(() => []));
});

test("a random key is any that exists", async () => {
  const clock = new TestClock();
  const random = new SeededRandom(5);
  await using store = await openInMemory({
    clock,
    random: { fill: (bytes) => bytes.forEach((_, i) => bytes[i] = random.below(256)) },
  });
  assert.equal(store.randomKey(), undefined);
  const keys = Array.from({ length: 20_000 }, (_, i) => `key:${i}`);
  await store.batch(keys.map((key) => ({ op: "set", key, value: "" })));
  const counts = new Map<string, number>();
  for (let i = 0; i < 2000; i++) {
    const key = store.randomKey()!;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    assert.equal(store.has(key), true);
  }
  assert.ok(counts.size > 1800, `2000 draws of 20,000 keys gave ${counts.size} different ones`);
  const kept = new Set(["key:7", "key:9999"]);
  await store.batch(keys.filter((key) => !kept.has(key)).map((key) => ({ op: "del", key })));
  const drawn = new Set(Array.from({ length: 100 }, () => store.randomKey()));
  assert.deepEqual(drawn, kept);
  await store.set("key:7", "", { ttl: 5 });
  await store.delete("key:9999");
  clock.advance(5);
  assert.equal(store.randomKey(), undefined);
});

for (const [name, durability] of DURABILITIES) {
  test(`${name}: an update is told of keys without reading their values`, async () => {
    const clock = new TestClock();
    const fs = new FaultyFileSystem(new MemoryFileSystem());
    await using store = await openInMemory({ durability, clock }, fs);
    await store.batch([{ op: "set", key: "old", value: "12345" }, {
      op: "set",
      key: "gone",
      value: "",
    }]);
    await store.flush();
    const expiresAt = clock.now() + 1000;
    const writes = [
      store.set("new", "123", { expiresAt }),
      store.delete("gone"),
      store.set("over", "1", { ttl: 1 }),
    ];
    fs.fail = ({ what }) => what === "read" ? "EIO" : undefined;
    clock.advance(1);
    let leaked: (key: string) => unknown = () => undefined;
    await store.update((_newest, stat) => {
      leaked = stat;
      assert.deepEqual(stat("old"), { version: 1, size: 5 });
      assert.deepEqual(stat("new"), { version: 3, size: 3, expiresAt });
      assert.deepEqual(["gone", "over", "never"].map(stat), [undefined, undefined, undefined]);
      return [];
    });
    await Promise.all(writes);
    await failsWith("InvalidArgument", /has returned/, () => leaked("old"));
  });
}
