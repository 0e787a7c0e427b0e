/**
 * What was deleted, overwritten or has expired stays so, whichever segments compaction rewrites and
 * in whatever order, whatever the clock says, and however often the store is reopened.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { takeCensus } from "../support/log_census.ts";
import { TestClock } from "../support/test_clock.ts";
import {
  assertExact,
  DURABILITIES,
  openInMemory,
  PATH,
  pattern,
  scanKeys,
  text,
  turn,
  until,
} from "../support/test_store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";

const NOW = 1_700_000_000_000;

/** A store whose segments a test fills one by one. */
class Scene {
  readonly fs = new MemoryFileSystem();
  readonly clock = new TestClock({ nowMs: NOW });
  store!: KvStore;
  readonly #options: OpenOptions;

  constructor(options: OpenOptions) {
    this.#options = { ...options, clock: this.clock, segmentBytesMax: 4096 };
  }

  async open(options: OpenOptions = {}): Promise<void> {
    this.store = await openInMemory({ ...this.#options, ...options }, this.fs);
  }

  /** Ends the segment that is being appended to, with values that stay alive. */
  async nextSegment(fill = "fill"): Promise<void> {
    const { segments } = this.store.stats();
    for (let i = 0; this.store.stats().segments === segments; i++) {
      await this.store.set(`${fill} ${segments} ${i}`, pattern(1000, i));
    }
  }

  async reopen(options: OpenOptions = {}): Promise<void> {
    await this.store.close();
    await this.open(options);
  }

  /** Lets compaction by itself rewrite what is mostly dead, if anything is, and nothing else. */
  async compactWorthwhile(): Promise<number> {
    await this.reopen({ compaction: { deadRatio: 0.3, totalBytes: 0, deadBytesMin: 1 } });
    for (let i = 0; i < 50; i++) await turn();
    await until("compaction is over", () => !this.store.stats().compacting);
    const { compactions } = this.store.stats();
    await this.reopen();
    return compactions;
  }

  deletes(): number {
    return takeCensus(this.fs, PATH, this.clock.now()).deletes;
  }

  /** The keys must be absent now, after reopening, and after compaction and reopening. */
  async assertGone(...keys: string[]): Promise<void> {
    for (let round = 0; round < 4; round++) {
      for (const key of keys) assert.equal(this.store.has(key), false, `${key}, round ${round}`);
      assert.deepEqual((await scanKeys(this.store)).filter((key) => keys.includes(key)), []);
      await assertExact(this.store, this.fs, this.clock.now());
      if (round % 2 === 0) await this.store.compact();
      else await this.reopen();
    }
  }
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: a tombstone outlives the rewriting of its own segment alone`, async () => {
    const scene = new Scene({ durability });
    await scene.open();
    // The old value lies in a segment that is hardly dead, the tombstone in one that is mostly so.
    await scene.store.set("k", "old");
    await scene.nextSegment();
    await scene.store.delete("k");
    for (let i = 0; i < 20; i++) await scene.store.set("busy", pattern(500, i));
    await scene.nextSegment();
    const [first] = takeCensus(scene.fs, PATH, NOW).fileIds;
    assert(await scene.compactWorthwhile() > 0);
    const after = takeCensus(scene.fs, PATH, NOW);
    assert.equal(after.fileIds[0], first, "the oldest segment was left alone");
    assert.equal(after.deletes, 1, "the tombstone was kept");
    await scene.assertGone("k");
    assert.equal(scene.deletes(), 0, "and dropped when nothing was left to hide");
    await scene.store.close();
  });

  test(`${name}: deleted, set again, deleted again, over four segments`, async () => {
    const scene = new Scene({ durability });
    await scene.open();
    await scene.store.set("k", "1");
    await scene.store.set("kept", "1");
    await scene.nextSegment();
    await scene.store.delete("k");
    await scene.nextSegment();
    await scene.store.set("k", "2");
    await scene.store.delete("kept");
    await scene.nextSegment();
    await scene.compactWorthwhile();
    assert.equal(text(await scene.store.get("k")), "2");
    await scene.store.delete("k");
    await scene.store.set("kept", "2");
    await scene.nextSegment();
    await scene.reopen();
    await scene.assertGone("k");
    assert.equal(text(await scene.store.get("kept")), "2");
    assert.equal(scene.deletes(), 0);
    await scene.store.close();
  });

  test(`${name}: set again after a delete, and compacted, has the new value`, async () => {
    const scene = new Scene({ durability });
    await scene.open();
    await scene.store.set("k", "old");
    await scene.nextSegment();
    await scene.store.delete("k");
    await scene.nextSegment();
    const { version } = await scene.store.set("k", "new");
    for (let round = 0; round < 3; round++) {
      await scene.store.compact();
      assert.equal(text(await scene.store.get("k")), "new");
      assert.equal((await scene.store.getEntry("k"))?.version, version);
      await scene.reopen();
    }
    assert.equal(scene.deletes(), 0);
    await scene.store.close();
  });

  test(`${name}: a tombstone in a batch, of a key that did not exist`, async () => {
    const scene = new Scene({ durability });
    await scene.open();
    await scene.store.batch([{ op: "del", key: "never" }, { op: "set", key: "a", value: "1" }]);
    await scene.nextSegment();
    await scene.assertGone("never");
    assert.equal(scene.deletes(), 0);
    await scene.store.close();
  });

  for (const moved of ["stands still", "is set back"]) {
    test(`${name}: an expired value hides an older one while the clock ${moved}`, async () => {
      const scene = new Scene({ durability });
      await scene.open();
      await scene.store.set("k", "old");
      await scene.nextSegment();
      await scene.store.set("k", "new", { ttl: 1000 });
      for (let i = 0; i < 20; i++) await scene.store.set("busy", pattern(500, i));
      await scene.nextSegment();
      scene.clock.advance(1000);
      assert.equal(scene.store.size > 0 && scene.store.has("k"), false);
      // Only the segment with the expired value is worth rewriting: it must leave something there.
      assert(await scene.compactWorthwhile() > 0);
      assert.equal(scene.store.has("k"), false);
      if (moved === "is set back") scene.clock.setNow(NOW);
      await scene.reopen();
      assert.equal(scene.store.has("k"), false, "its place was taken by a tombstone");
      await scene.assertGone("k");
      assert.equal(scene.deletes(), 0);
      await scene.store.close();
    });
  }

  test(`${name}: an expired value that was deleted as well, with the clock set back`, async () => {
    const scene = new Scene({ durability });
    await scene.open();
    await scene.store.set("k", "older");
    await scene.nextSegment();
    await scene.store.set("k", "old", { ttl: 1000 });
    await scene.nextSegment();
    await scene.store.delete("k");
    await scene.nextSegment();
    scene.clock.advance(5000);
    await scene.compactWorthwhile();
    scene.clock.setNow(NOW);
    await scene.reopen();
    await scene.assertGone("k");
    await scene.store.close();
  });

  test(`${name}: overwritten values stay so when only the newest segment is rewritten`, async () => {
    const scene = new Scene({ durability });
    await scene.open();
    for (const value of ["1", "2", "3"]) {
      await scene.store.set("k", value);
      await scene.nextSegment();
    }
    for (let i = 0; i < 20; i++) await scene.store.set("busy", pattern(500, i));
    await scene.compactWorthwhile();
    assert.equal(text(await scene.store.get("k")), "3");
    await scene.store.delete("k");
    await scene.reopen();
    await scene.assertGone("k");
    await scene.store.close();
  });
}
