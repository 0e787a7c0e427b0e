/** stats: figures that are exact at all times. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BATCH_FRAME_BYTES,
  SEGMENT_FRAME_BYTES,
  SYNC_FRAME_BYTES,
} from "../../lib/format/control_record.ts";
import { frameLengthOf } from "../../lib/format/record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { assertExact, DURABILITIES, openInMemory } from "../support/test_store.ts";

/** A new store: the header of its first segment, and a mark that seals it. */
const EMPTY_BYTES = SEGMENT_FRAME_BYTES + SYNC_FRAME_BYTES;

for (const [name, durability] of DURABILITIES) {
  test(`${name}: alive and dead bytes after every kind of write`, async () => {
    const fs = new MemoryFileSystem();
    await using store = await openInMemory({ durability }, fs);
    const figures = () => {
      const { aliveBytes, deadBytes, totalBytes } = store.stats();
      assert.equal(aliveBytes + deadBytes, totalBytes);
      return aliveBytes;
    };
    assert.equal(figures(), 0);
    assert.equal(store.stats().totalBytes, EMPTY_BYTES);
    await store.set("a", "12345");
    assert.equal(figures(), frameLengthOf(1, 5));
    await store.set("a", "1");
    assert.equal(figures(), frameLengthOf(1, 1));
    await store.set("a", "123", { ttl: 1_000_000 });
    assert.equal(figures(), frameLengthOf(1, 8 + 3));
    await store.batch([
      { op: "set", key: "bb", value: "1" },
      { op: "set", key: "bb", value: "12" },
      { op: "del", key: "a" },
      { op: "set", key: "ccc", value: "" },
    ]);
    assert.equal(figures(), frameLengthOf(2, 2) + frameLengthOf(3, 0));
    await store.delete("bb");
    assert.equal(figures(), frameLengthOf(3, 0));
    await assertExact(store, fs);
    await store.delete("ccc");
    assert.equal(figures(), 0);
    await assertExact(store, fs);
  });

  test(`${name}: total bytes are those of the frames, and of nothing else`, async () => {
    await using store = await openInMemory({ durability });
    // One group: no mark is due, since nothing was synced before it.
    await Promise.all([
      store.set("a", "1"),
      store.batch([{ op: "set", key: "b", value: "22" }, { op: "del", key: "c" }]),
    ]);
    await store.flush();
    assert.equal(
      store.stats().totalBytes,
      EMPTY_BYTES + frameLengthOf(1, 1) + BATCH_FRAME_BYTES + frameLengthOf(1, 2) +
        frameLengthOf(1, 0),
    );
  });

  test(`${name}: keys, their bytes, versions and identity`, async () => {
    const fs = new MemoryFileSystem();
    let nodeId: string;
    {
      await using store = await openInMemory({ durability }, fs);
      await store.set("ab", "1");
      await store.set("é", "1");
      await store.set("ab", "2");
      const stats = store.stats();
      assert.equal(stats.keys, 2);
      assert.equal(stats.indexKeyBytes, 4);
      assert(stats.indexBytes > 4);
      assert.equal(stats.version, 3);
      assert.equal(stats.writesInFlight, 0);
      assert.equal(stats.compacting, false);
      assert.equal(stats.compactions, 0);
      assert.equal(stats.backpressureMs, 0);
      assert.equal(stats.lastCompaction, undefined);
      assert.equal(stats.lastCompactionAt, undefined);
      assert.equal(stats.replay.records, 0);
      nodeId = stats.nodeId;
      assert.match(nodeId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      await store.delete("é");
      assert.equal(store.stats().indexKeyBytes, 2);
    }
    await using store = await openInMemory({ durability }, fs);
    const stats = store.stats();
    assert.equal(stats.nodeId, nodeId);
    assert.equal(stats.version, 4);
    assert.equal(stats.durableVersion, 4);
    assert.deepEqual({ ...stats.replay, bytes: 0, durationMs: 0 }, {
      segments: 1,
      hints: 0,
      checkpointKeys: 0,
      records: 4,
      bytes: 0,
      truncatedBytes: 0,
      durationMs: 0,
    });
    assert.equal(stats.replay.bytes, stats.totalBytes);
  });
}
