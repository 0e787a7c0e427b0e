/** Bytes handed in stay the caller's, and bytes handed out become the caller's. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import {
  DURABILITIES,
  openInMemory,
  pattern,
  scanAll,
  scanKeys,
  text,
} from "../support/test_store.ts";

const utf8 = (value: string) => new TextEncoder().encode(value);

for (const [name, durability] of DURABILITIES) {
  for (const length of [3, 1000, 100_000]) {
    test(`${name}: changing a value of ${length} bytes that was read changes nothing`, async () => {
      await using store = await openInMemory({ durability });
      const value = pattern(length);
      await store.set("a", value);
      const reads = [
        () => store.get("a"),
        () => Promise.resolve(store.getSync("a")),
        async () => (await store.getEntry("a"))?.value,
        () => Promise.resolve(store.getEntrySync("a")?.value),
        async () => (await scanAll(store))[0]?.value,
      ];
      for (const flushed of [false, true]) {
        if (flushed) await store.flush();
        for (const read of reads) {
          const bytes = await read();
          assert.deepEqual(bytes, value);
          bytes!.fill(0xee);
          // Nor does it reach further than the value: other values may lie beside it in memory.
          assert.equal(bytes!.buffer.byteLength, length);
        }
      }
    });
  }

  test(`${name}: what was read does not change by later writes, compaction or closing`, async () => {
    const fs = new MemoryFileSystem();
    const store = await openInMemory({ durability, segmentBytesMax: 4096 }, fs);
    const before: (Uint8Array | undefined)[] = [];
    for (let i = 0; i < 100; i++) {
      await store.set(`k${i}`, pattern(200, i));
      before.push(await store.get(`k${i}`));
    }
    const scanned = await scanAll(store);
    for (let i = 0; i < 100; i += 2) await store.set(`k${i}`, pattern(200, 1000 + i));
    await store.compact();
    for (let i = 0; i < 100; i++) await store.set(`k${i}`, pattern(300, 2000 + i));
    await store.compact();
    await store.close();
    before.forEach((bytes, i) => assert.deepEqual(bytes, pattern(200, i)));
    for (const { key, value } of scanned) {
      assert.deepEqual(value, pattern(200, Number(key.slice(1))));
    }
  });

  test(`${name}: arrays may be reused as soon as the call has returned`, async () => {
    await using store = await openInMemory({ durability });
    const key = utf8("key 0");
    const value = pattern(100, 0);
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) {
      key[4] = 0x30 + i;
      value.set(pattern(100, i));
      writes.push(store.set(key, value));
    }
    key.fill(0x78);
    value.fill(0);
    await Promise.all(writes);
    for (let i = 0; i < 10; i++) assert.deepEqual(await store.get(`key ${i}`), pattern(100, i));
    assert.equal(store.size, 10);
  });

  test(`${name}: so may the arrays and objects of a batch`, async () => {
    await using store = await openInMemory({ durability });
    const key = utf8("a");
    const value = utf8("one");
    const op = { op: "set" as const, key, value };
    const ops = [op, { op: "set" as const, key: "b", value: "two" }];
    const checks = [{ key: "a", version: null as number | null }];
    const write = store.batch(ops, { checks });
    key[0] = 0x7a;
    value.fill(0);
    op.key = utf8("q");
    ops.length = 0;
    checks[0]!.version = 99;
    await write;
    assert.equal(text(await store.get("a")), "one");
    assert.deepEqual(await scanKeys(store), ["a", "b"]);
  });

  test(`${name}: so may the key of a delete and of a read`, async () => {
    await using store = await openInMemory({ durability });
    await store.set("a", pattern(100_000, 1));
    await store.set("b", pattern(100_000, 2));
    await store.flush();
    const key = utf8("a");
    const read = store.get(key);
    const entry = store.getEntry(key);
    const deletion = store.delete(key);
    key[0] = 0x62;
    assert.deepEqual(await read, pattern(100_000, 1));
    assert.deepEqual((await entry)?.key, "a");
    await deletion;
    assert.deepEqual(await scanKeys(store), ["b"]);
  });

  test(`${name}: a Buffer is as good as any Uint8Array, and none of it is changed`, async () => {
    await using store = await openInMemory({ durability });
    const pool = Buffer.from("..key..value..");
    await store.set(pool.subarray(2, 5), pool.subarray(7, 12));
    await store.set("kez", "other");
    assert.equal(text(await store.get(Buffer.from("key"))), "value");
    const bound = Buffer.from("key");
    assert.deepEqual(await scanKeys(store, { prefix: bound }), ["key"]);
    assert.deepEqual(await scanKeys(store, { start: bound }), ["key", "kez"]);
    assert.deepEqual(await scanKeys(store, { end: bound }), []);
    assert.equal(bound.toString(), "key");
    const scan = store.scan({ start: bound });
    bound.fill(0x7a);
    assert.equal((await scan.next()).value?.key, "key");
    assert.equal(pool.toString(), "..key..value..");
    const value = await store.get("key");
    assert.equal(Buffer.isBuffer(value), false);
  });
}
