/** A million small keys: memory, disk, and the cost of a scan's first page. */

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { takeCensus } from "../support/log_census.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { scanKeys, text } from "../support/test_store.ts";

const KEYS = 1_000_000;
const KEY_BYTES = 16;
const BYTES_A_KEY_MAX = 48;
const PAGE = 100;
const MIB = 1 << 20;

const options: OpenOptions = {
  durability: { bytes: 64 * MIB, millis: 1000 },
  compaction: { auto: false },
};

/** Keys in an order that is not theirs: a multiplication modulo a prime goes through all of them. */
const keyOf = (i: number) => `key:${String((i * 7919) % 999_983 + 1_000_000).padStart(12, "0")}`;

test("a million keys take their bytes and at most 48 more each, and give them back", {
  timeout: 120_000,
}, async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("store");
  const rssBefore = process.memoryUsage().rss;
  const kept: string[] = [];
  const store = await KvStore.open(path, options);
  let highest: number;
  try {
    for (let i = 0; i < KEYS; i++) {
      store.setSync(keyOf(i), "v");
      // Lets the fsyncs in the background take their turn.
      if (i % 50_000 === 0) await store.flush();
    }
    await store.flush();
    const full = store.stats();
    const distinct = 999_983; // the keys repeat from there on
    assert.equal(full.keys, distinct);
    assert.equal(full.indexKeyBytes, distinct * KEY_BYTES);
    const beyondKeys = (full.indexBytes - full.indexKeyBytes) / distinct;
    assert(beyondKeys <= BYTES_A_KEY_MAX, `${beyondKeys} bytes a key`);
    const rss = process.memoryUsage().rss - rssBefore;
    // What the runtime takes for itself and has not collected yet comes on top.
    assert(rss < full.indexBytes + 300 * MIB, `${rss} bytes of memory for ${full.indexBytes}`);

    await checkFirstPages(store);

    const diskBefore = diskBytes(path);
    for (let i = 0; i < distinct; i++) {
      if (i % 10 === 0) kept.push(keyOf(i));
      else store.deleteSync(keyOf(i));
    }
    // The index keeps the memory of what was deleted, for what comes next.
    highest = store.stats().indexBytes;
    for (let i = 0; i < 100_000; i++) store.setSync(`new:${String(i).padStart(12, "0")}`, "v");
    assert(store.stats().indexBytes <= highest, "memory of deleted keys is used again");
    for (let i = 0; i < 100_000; i++) store.deleteSync(`new:${String(i).padStart(12, "0")}`);

    const result = await store.compact();
    const less = store.stats();
    assert.equal(less.keys, kept.length);
    assert.equal(result.recordsMoved, kept.length);
    assert.equal(diskBytes(path) < diskBefore / 4, true, `${diskBytes(path)} of ${diskBefore}`);
    assert.equal(less.aliveBytes, takeCensus(nodeFileSystem, path, Date.now()).aliveBytes);
    for (let i = 0; i < kept.length; i += 997) assert.equal(text(store.getSync(kept[i]!)), "v");
  } finally {
    await store.close();
  }

  await using again = await KvStore.open(path, options);
  const { keys, indexBytes, indexKeyBytes, replay } = again.stats();
  assert.equal(keys, kept.length);
  assert(indexBytes < highest / 4, `${indexBytes} bytes for a tenth of the keys`);
  assert.equal(indexKeyBytes, kept.length * KEY_BYTES);
  assert(replay.hints > 0);
  assert.deepEqual(await scanKeys(again), kept.sort());
});

/** The first scan puts all keys in order; after it, a page costs a page, wherever it begins. */
async function checkFirstPages(store: KvStore): Promise<void> {
  const timed = async (work: () => Promise<unknown>) => {
    const begin = performance.now();
    await work();
    return performance.now() - begin;
  };
  const first = await timed(() => scanKeys(store, { limit: PAGE }));
  const pages: number[] = [];
  for (let i = 0; i < 50; i++) {
    // Writes in between must not make the next scan begin from nothing.
    store.setSync(`new ${i}`, "v");
    store.deleteSync(`new ${i}`);
    const start = keyOf(i * 9973);
    pages.push(
      await timed(async () => {
        const keys = await scanKeys(store, { start, limit: PAGE, reverse: false });
        assert.equal(keys[0], start);
        assert(keys.length === PAGE || start > "key:000001999800");
      }),
    );
  }
  const [median] = pages.sort((left, right) => left - right).slice(25);
  // A pass over all keys, even without comparing them, takes tens of milliseconds.
  assert(
    median! < Math.max(5, first / 50),
    `a page takes ${median} ms, the first scan ${first} ms`,
  );
}

function diskBytes(path: string): number {
  return readdirSync(`${path}/wal`)
    .reduce((sum, name) => sum + statSync(`${path}/wal/${name}`).size, 0);
}
