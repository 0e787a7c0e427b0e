/**
 * Deleted and expired keys stay gone when the segment that says so is compacted, and an older one
 * that still holds a value of theirs is not.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { fromImage, takeImage } from "../support/disk_image.ts";
import { withoutHints } from "../support/segmented_store.ts";
import { mustOpen } from "../support/store_outcome.ts";
import { openInMemory, segmentIds, turn } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

const ALIVE = "alive ".repeat(60);
const OPTIONS: OpenOptions = {
  segmentBytesMax: 4096,
  // Only segments that are mostly dead: the first one is mostly alive, and stays.
  compaction: { auto: true, deadRatio: 0.5, totalBytes: 0, deadBytesMin: 1 },
};

/** Fills the first segment with what stays alive, and values that are about to be hidden. */
async function writeFirstSegment(store: KvStore): Promise<void> {
  await store.set("deleted", "old");
  await store.set("expiring", "old");
  for (let index = 0; store.stats().segments === 1; index++) {
    await store.set(`alive ${index}`, ALIVE);
  }
}

/** Writes and overwrites until the second segment, mostly dead by then, has been compacted away. */
async function churn(store: KvStore, fs: MemoryFileSystem): Promise<void> {
  for (let index = 0; segmentIds(fs).includes(2); index++) {
    assert(index < 2000, "the second segment is compacted");
    await store.set("churn", `${index} `.repeat(50));
    await turn();
  }
  assert(segmentIds(fs).includes(1), "the first segment is not");
}

async function assertGone(fs: MemoryFileSystem, clock: TestClock, keys: string[]): Promise<void> {
  for (const image of [takeImage(fs), withoutHints(takeImage(fs))]) {
    const { state } = await mustOpen(fromImage(image), { clock });
    for (const key of keys) assert(!(key in state), `${key} came back as "${state[key]}"`);
    assert.equal(state["alive 0"], ALIVE);
  }
}

test("a tombstone is kept while an older segment holds a value of its key", async () => {
  const [fs, clock] = [new MemoryFileSystem(), new TestClock()];
  const store = await openInMemory({ ...OPTIONS, clock }, fs);
  await writeFirstSegment(store);
  await store.delete("deleted");
  await churn(store, fs);
  assert(!store.has("deleted"));
  await store.close();
  await assertGone(fs, clock, ["deleted"]);
});

test("an expired value is buried while an older segment holds a value of its key", async () => {
  const [fs, clock] = [new MemoryFileSystem(), new TestClock()];
  const store = await openInMemory({ ...OPTIONS, clock }, fs);
  await writeFirstSegment(store);
  await store.set("expiring", "new", { ttl: 1000 });
  clock.advance(5000);
  await churn(store, fs);
  assert(!store.has("expiring"));
  await store.close();
  await assertGone(fs, clock, ["expiring"]);
  // Nor does it come back when the clock is set back.
  clock.setNow(clock.now() - 4500);
  const { state } = await mustOpen(fromImage(takeImage(fs)), { clock });
  assert.notEqual(state["expiring"], "old");
});

test("once the older segment is rewritten as well, both may go, and stay gone", async () => {
  const [fs, clock] = [new MemoryFileSystem(), new TestClock()];
  const store = await openInMemory({ ...OPTIONS, clock }, fs);
  await writeFirstSegment(store);
  await store.delete("deleted");
  await store.set("expiring", "new", { ttl: 1000 });
  clock.advance(5000);
  await churn(store, fs);
  await store.compact();
  const { aliveBytes, totalBytes, segments } = store.stats();
  // What is left beside the living are the first and the last frame of each segment.
  assert(totalBytes - aliveBytes <= 2 * 59 * segments + 47 * segments, "tombstones are gone");
  await store.close();
  await assertGone(fs, clock, ["deleted", "expiring"]);
});
