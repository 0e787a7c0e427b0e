/** Reopening: what was written is there, the last write of each key winning. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, statSync } from "node:fs";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { failsWith } from "../support/kv_error.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import {
  assertExact,
  DURABILITIES,
  openInMemory,
  pattern,
  scanAll,
  text,
} from "../support/test_store.ts";

const OPERATIONS = 20_000;

for (const [name, durability] of DURABILITIES) {
  test(`${name}: ${OPERATIONS} mixed operations on disk, then reopened`, async () => {
    using directory = new TemporaryDirectory();
    const options = { durability, segmentBytesMax: 100_000 };
    const random = new SeededRandom(42);
    const expected = new Map<string, { value: Uint8Array; version: number }>();
    let lsn = 0;
    {
      await using store = await KvStore.open(directory.join("store"), options);
      let writes: Promise<unknown>[] = [];
      for (let i = 0; i < OPERATIONS; i++) {
        const key = `key ${random.below(3000)}`;
        const value = pattern(random.below(60), i);
        const kind = random.below(10);
        if (kind < 7) {
          writes.push(store.set(key, value));
          expected.set(key, { value, version: ++lsn });
        } else if (kind < 9) {
          const version = expected.delete(key) ? ++lsn : undefined;
          writes.push(
            store.delete(key).then(
              (result) => assert.equal(result.version, version),
              () => assert.equal(version, undefined),
            ),
          );
        } else {
          const other = `key ${random.below(3000)}`;
          writes.push(store.batch([{ op: "del", key: other }, { op: "set", key, value }]));
          expected.delete(other);
          expected.set(key, { value, version: lsn += 2 });
        }
        if (writes.length >= 64) {
          await Promise.all(writes);
          writes = [];
        }
      }
      await Promise.all(writes);
    }
    for (const readOnly of [true, false]) {
      await using store = await KvStore.open(directory.join("store"), { ...options, readOnly });
      assert.equal(store.size, expected.size);
      assert.equal(store.stats().version, lsn);
      for (const entry of await scanAll(store)) {
        const { value, version } = expected.get(entry.key)!;
        assert(Buffer.compare(entry.value, value) === 0 && entry.version === version, entry.key);
      }
      if (!readOnly) await assertExact(store, nodeFileSystem);
      assert.equal(store.stats().replay.truncatedBytes, 0);
    }
  });
}

test("files have mode 0600 and directories 0700; the lock file stays", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("a", "b", "store");
  {
    await using store = await KvStore.open(path, { segmentBytesMax: 4096 });
    for (let i = 0; i < 40; i++) store.setSync(`${i}`, pattern(300));
    await store.compact();
    await failsWith("Locked", /in use by process \d+/, () => KvStore.open(path));
  }
  assert.deepEqual(readdirSync(path).sort(), ["LOCK", "wal"]);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  for (const name of ["LOCK", "wal/ACTIVE", "wal/NODE_ID"]) {
    assert.equal(statSync(`${path}/${name}`).mode & 0o777, 0o600);
  }
  for (const name of readdirSync(`${path}/wal`)) {
    assert.equal(statSync(`${path}/wal/${name}`).mode & 0o777, 0o600);
  }
});

test("opening and closing again and again changes nothing", async () => {
  const fs = new MemoryFileSystem();
  {
    await using store = await openInMemory({}, fs);
    await store.set("a", "1");
    await store.set("a", "2");
  }
  let totalBytes: number | undefined;
  for (let i = 0; i < 5; i++) {
    await using store = await openInMemory({}, fs);
    totalBytes ??= store.stats().totalBytes;
    assert.equal(store.stats().totalBytes, totalBytes);
    assert.equal(store.stats().syncs, 0);
    assert.equal(text(await store.get("a")), "2");
  }
});

test("a store that was never closed is opened as it is on disk, and goes on from there", async () => {
  const fs = new MemoryFileSystem();
  await using abandoned = await openInMemory({}, fs);
  await abandoned.set("a", "1");
  await abandoned.batch([{ op: "set", key: "b", value: "2" }, { op: "del", key: "a" }]);
  await using copy = await openInMemory({ readOnly: true }, fs);
  assert.deepEqual((await scanAll(copy)).map(({ key, version }) => [key, version]), [["b", 2]]);
  await failsWith("Locked", /in use/, () => openInMemory({}, fs));
});

test("another durability, limits and segment size at every opening", async () => {
  const fs = new MemoryFileSystem();
  const optionsInTurn = [
    { durability: "immediate" as const, segmentBytesMax: 4096 },
    { durability: { bytes: 4096, millis: 1 }, segmentBytesMax: 1 << 20 },
    { durability: "immediate" as const, keyBytesMax: 3, valueBytesMax: 3 },
  ];
  for (let round = 0; round < 6; round++) {
    await using store = await openInMemory(optionsInTurn[round % 3], fs);
    assert.equal(store.size, round * 20);
    for (let i = 0; i < 20; i++) await store.set(`${round}${i}`, "abc");
    await assertExact(store, fs);
  }
});
