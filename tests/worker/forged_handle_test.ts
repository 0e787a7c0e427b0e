/** What is no handle, a handle of another version, and handles whose memory holds rubbish. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { SharedStore } from "../../lib/store/shared_store.ts";
import { KvReader } from "../../lib/worker/kv_reader.ts";
import { failsWith } from "../support/kv_error.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { LAZY, openInMemory } from "../support/test_store.ts";

async function shared() {
  const fileSystem = new MemoryFileSystem();
  const store = await openInMemory({ durability: LAZY }, fileSystem);
  for (let i = 0; i < 100; i++) store.setSync(`key:${i}`, `value:${i}`);
  return { store, fileSystem, handle: store.share() };
}

test("handles: what is none is refused", async () => {
  const { store, handle } = await shared();
  const index = handle.index;
  const short = new SharedArrayBuffer(16);
  const forged: [unknown, RegExp][] = [
    [undefined, /no object/],
    [null, /no object/],
    ["handle", /no object/],
    [{}, /its kind/],
    [JSON.parse(JSON.stringify(handle)), /no state/],
    [{ ...handle, kind: "store" }, /its kind/],
    [{ ...handle, path: 1 }, /no directory/],
    [{ ...handle, directory: "" }, /no directory/],
    [{ ...handle, keyBytesMax: 0 }, /longest key/],
    [{ ...handle, keyBytesMax: 1e9 }, /longest key/],
    [{ ...handle, control: new ArrayBuffer(16) }, /no state/],
    [{ ...handle, control: short }, /no state/],
    [{ ...handle, index: null }, /no index/],
    [{ ...handle, index: { ...index, hashSeed: "1" } }, /no index/],
    [{ ...handle, index: { ...index, directory: short } }, /no index/],
    [{ ...handle, index: { ...index, shards: short } }, /no index/],
    [{ ...handle, index: { ...index, slabs: [] } }, /no index/],
    [{ ...handle, index: { ...index, slabs: [new ArrayBuffer(16)] } }, /no index/],
    [{ ...handle, index: { ...index, growth: undefined } }, /no index/],
    [{ ...handle, index: { ...index, growth: { firstSlab: 0, regions: [] } } }, /no index/],
    [
      { ...handle, index: { ...index, growth: { ...index.growth, regions: [short] } } },
      /no index/,
    ],
    [
      { ...handle, index: { ...index, slabs: [new SharedArrayBuffer((128 << 10) + 4)] } },
      /no index/,
    ],
    [{ ...handle, index: { ...index, slabs: [...index.slabs, index.slabs[0]] } }, /no index/],
    [{ ...handle, tail: {} }, /its tail/],
    [{ ...handle, durable: undefined }, /how far its files stay/],
    [{ ...handle, durable: new SharedArrayBuffer(4) }, /how far its files stay/],
    [{ ...handle, memoryMap: 1 }, /how far its files stay/],
  ];
  for (const [each, message] of forged) {
    await failsWith("InvalidArgument", message, () => KvReader.attach(each as SharedStore));
  }
  await failsWith(
    "Unsupported",
    /another version/,
    () => KvReader.attach({ ...handle, version: handle.version + 1 }),
  );
  await store.close();
});

test("handles: a chain of shards that has no end is an error, not a wait", async () => {
  const { store, fileSystem, handle } = await shared();
  const shards = handle.index.shards.slice(0);
  const words = new Int32Array(shards);
  // The first shards, each chained to the one before or to itself.
  for (let shard = 0; shard < 8; shard++) words[shard * 4 + 2] = Math.max(1, shard - 1);
  const forged = { ...handle, index: { ...handle.index, shards } };
  using reader = KvReader.attach(forged, { fileSystem });
  await failsWith("InvalidArgument", /no index/, () => reader.getSync("missing"));
  await failsWith("InvalidArgument", /no index/, async () => {
    for await (const _ of reader.scan());
  });
  await store.close();
});

test("handles: one of a store that was closed stays so when the store is opened again", async () => {
  const { store, fileSystem, handle } = await shared();
  const posted = structuredClone(handle);
  await store.close();
  const again = await openInMemory({ durability: LAZY }, fileSystem);
  for (const stale of [handle, posted]) {
    await failsWith("Closed", /closed/, () => KvReader.attach(stale, { fileSystem }));
  }
  using reader = KvReader.attach(again.share(), { fileSystem });
  assert.equal(new TextDecoder().decode(reader.getSync("key:7")), "value:7");
  await again.close();
});

test("handles: of memory that holds rubbish, nothing comes but errors and absent keys", async () => {
  const { store, fileSystem, handle } = await shared();
  const random = new SeededRandom(7);
  for (let round = 0; round < 60; round++) {
    const index = handle.index;
    const copy = {
      ...handle,
      index: {
        ...index,
        directory: index.directory.slice(0),
        shards: index.shards.slice(0),
        slabs: index.slabs.map((slab) => slab.slice(0)),
      },
    };
    const words = [copy.index.directory, copy.index.shards, copy.index.slabs[0]!]
      .map((memory) => new Int32Array(memory));
    // A few words of each, most of them where something is.
    for (const view of words) {
      for (let i = 0; i < 50; i++) {
        const used = view === words[2] ? 3 * 32_768 : 8;
        const value = random.below(2) === 0 ? random.below(2 ** 32) | 0 : random.below(100);
        view[random.below(used)] = value & ~(view === words[2] ? 0 : 1);
      }
    }
    using reader = KvReader.attach(copy, { fileSystem });
    for (let i = 0; i < 100; i++) {
      try {
        const value = reader.getSync(`key:${i}`);
        // What is found is right.
        if (value !== undefined) assert.equal(new TextDecoder().decode(value), `value:${i}`);
      } catch (error) {
        assert(error instanceof KvError, String(error));
        assert(["InvalidArgument", "CorruptLog", "Io"].includes(error.code), error.message);
      }
    }
    try {
      for await (const { key, value } of reader.scan()) {
        assert.equal(new TextDecoder().decode(value), key.replace("key", "value"));
      }
    } catch (error) {
      assert(error instanceof KvError, String(error));
      assert(["InvalidArgument", "CorruptLog", "Io"].includes(error.code), error.message);
    }
  }
  await store.close();
});
