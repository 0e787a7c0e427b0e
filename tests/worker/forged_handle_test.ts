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
    [{ ...handle, tail: {} }, /its tail/],
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
  }
  await store.close();
});
