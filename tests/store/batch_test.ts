/** batch: several operations as one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { BatchOp } from "../../lib/store/types.ts";
import { failsWith } from "../support/kv_error.ts";
import {
  assertExact,
  DURABILITIES,
  openInMemory,
  pattern,
  scanAll,
  text,
} from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

for (const [name, durability] of DURABILITIES) {
  test(`${name}: a batch does all its operations, each with its own version`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability }, fs);
    await store.set("old", "0");
    const result = await store.batch([
      { op: "set", key: "a", value: "1" },
      { op: "del", key: "old" },
      { op: "set", key: "b", value: Uint8Array.of(2) },
    ]);
    assert.deepEqual(result, { version: 4 });
    assert.deepEqual((await scanAll(store)).map(({ key, version }) => [key, version]), [
      ["a", 2],
      ["b", 4],
    ]);
    assert.equal(store.has("old"), false);
    await assertExact(store, fs);
  });

  test(`${name}: an empty batch writes nothing and says the newest version`, async () => {
    await using store = await openInMemory({ durability });
    assert.deepEqual(await store.batch([]), { version: 0 });
    await store.set("a", "1");
    const { totalBytes } = store.stats();
    assert.deepEqual(await store.batch([]), { version: 1 });
    assert.deepEqual(store.batchSync([]), { version: 1 });
    assert.equal(store.stats().totalBytes, totalBytes);
    await failsWith(
      "ConditionFailed",
      /"a"/,
      () => store.batch([], { checks: [{ key: "a", version: null }] }),
    );
  });

  test(`${name}: of several operations on a key in one batch, the last wins`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability }, fs);
    const { version } = await store.batch([
      { op: "set", key: "a", value: "1" },
      { op: "set", key: "a", value: "2" },
      { op: "set", key: "b", value: "1" },
      { op: "del", key: "b" },
      { op: "del", key: "c" },
      { op: "set", key: "c", value: "3" },
    ]);
    assert.equal(version, 6);
    assert.equal(text(await store.get("a")), "2");
    assert.equal((await store.getEntry("a"))?.version, 2);
    assert.equal(store.has("b"), false);
    assert.equal(text(await store.get("c")), "3");
    assert.equal(store.size, 2);
    await assertExact(store, fs);
  });

  test(`${name}: deleting a key that does not exist is no error in a batch`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability }, fs);
    assert.deepEqual(await store.batch([{ op: "del", key: "nobody" }]), { version: 1 });
    await store.batch([{ op: "del", key: "nobody" }, { op: "set", key: "a", value: "1" }]);
    assert.equal(store.size, 1);
    await assertExact(store, fs);
  });

  test(`${name}: a batch of one is a record like any other`, async () => {
    await using left = await openInMemory({ durability });
    await using right = await openInMemory({ durability });
    await left.set("a", "1");
    await right.batch([{ op: "set", key: "a", value: "1" }]);
    await Promise.all([left.flush(), right.flush()]);
    assert.equal(right.stats().totalBytes, left.stats().totalBytes);
  });

  test(`${name}: operations of a batch can expire`, async () => {
    const clock = new TestClock({ nowMs: 1000 });
    await using store = await openInMemory({ durability, clock });
    await store.batch([
      { op: "set", key: "a", value: "1", ttl: 10 },
      { op: "set", key: "b", value: "2", expiresAt: 1020 },
      { op: "set", key: "c", value: "3" },
    ]);
    assert.equal((await store.getEntry("a"))?.expiresAt, 1010);
    clock.advance(10);
    assert.deepEqual((await scanAll(store)).map(({ key }) => key), ["b", "c"]);
    clock.advance(10);
    assert.deepEqual((await scanAll(store)).map(({ key }) => key), ["c"]);
  });

  test(`${name}: a long batch, longer than the buffer and the segment`, async () => {
    const fs = new MemoryFileSystem();
    const options = { durability, segmentBytesMax: 4096 };
    const ops: BatchOp[] = Array.from({ length: 300 }, (_, i) => ({
      op: "set",
      key: `key ${String(i).padStart(3, "0")}`,
      value: pattern(10_000, i),
    }));
    {
      await using store = await openInMemory(options, fs);
      await store.set("first", "1");
      assert.deepEqual(await store.batch(ops), { version: 301 });
      await store.set("last", "1");
      await assertExact(store, fs);
      assert.equal(store.stats().segments, 3);
    }
    await using store = await openInMemory(options, fs);
    assert.equal(store.size, 302);
    for (let i = 0; i < ops.length; i++) {
      assert.deepEqual(store.getSync(ops[i]!.key), pattern(10_000, i));
    }
  });

  test(`${name}: one bad operation, wherever it stands, and nothing is written`, async () => {
    await using store = await openInMemory({ durability });
    await store.set("a", "0");
    await store.flush();
    const { totalBytes, version } = store.stats();
    const good: BatchOp = { op: "set", key: "a", value: "1" };
    const bad: [BatchOp, "InvalidKey" | "InvalidArgument"][] = [
      [{ op: "set", key: "", value: "1" }, "InvalidKey"],
      [{ op: "set", key: "b\ud800", value: "1" }, "InvalidKey"],
      [{ op: "del", key: Uint8Array.of(0xff) }, "InvalidKey"],
      [{ op: "set", key: "b", value: 1 as unknown as string }, "InvalidArgument"],
      [{ op: "set", key: "b", value: "1", ttl: 0 }, "InvalidArgument"],
    ];
    for (const [op, code] of bad) {
      for (const ops of [[op], [op, good], [good, op], [good, op, good]]) {
        await failsWith(code, /./, () => store.batch(ops));
      }
    }
    await store.flush();
    assert.equal(store.stats().totalBytes, totalBytes);
    assert.equal(store.stats().version, version);
    assert.equal(text(await store.get("a")), "0");
    assert.deepEqual(await store.batch([good]), { version: version + 1 });
  });
}
