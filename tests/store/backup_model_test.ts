/** Backups while everything else goes on: each holds the state of exactly one version. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvStore } from "../../lib/store/store.ts";
import type { BatchOp, Durability } from "../../lib/store/types.ts";
import { contentsOf, WrittenRecords } from "../support/backup_model.ts";
import { CountingFileSystem } from "../support/counting_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { SteppingClock } from "../support/stepping_clock.ts";
import { DURABILITIES, openInMemory, pattern, turn } from "../support/test_store.ts";

const SEEDS = 8;
const NOW_MS = 1_700_000_000_000;
const WRITES_BEFORE = 150;
const BACKUPS = 3;
const KEYS = Array.from({ length: 30 }, (_, index) => `key ${index}`);

for (const [name, durability] of DURABILITIES) {
  test(`backup, ${name}: one version of a store that is written to and compacted`, async () => {
    let copiedDuringWrites = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        copiedDuringWrites += await run(seed, durability);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
    assert(copiedDuringWrites >= SEEDS, `${copiedDuringWrites} records were written beside`);
  });
}

/** Runs one seed; returns how many records were written while a copy was made. */
async function run(seed: number, durability: Durability): Promise<number> {
  const random = new SeededRandom(seed);
  const clock = new SteppingClock(random, NOW_MS);
  const fs = new CountingFileSystem();
  const store = await openInMemory({ durability, clock, random, segmentBytesMax: 4096 }, fs);
  const writer = new Writer(store, random);
  for (let count = 0; count < WRITES_BEFORE; count++) writer.write();
  await writer.settle();
  let beside = 0;
  const copies: { path: string; version: number; acknowledged: number }[] = [];
  for (let number = 0; number < BACKUPS; number++) {
    let running = true;
    const path = `/backup ${number}`;
    const acknowledged = writer.acknowledged;
    const before = store.stats().version;
    const backup = store.backup(path).finally(() => running = false);
    const compaction = random.chance(0.7) ? store.compact() : undefined;
    while (running) {
      for (let count = random.below(4); count > 0; count--) writer.write();
      if (random.chance(0.2)) clock.advance(random.below(20));
      await turn();
    }
    beside += store.stats().version - before;
    copies.push({ path, version: (await backup).version, acknowledged });
    await compaction;
  }
  await writer.settle();
  await store.close();
  assert.deepEqual([fs.openPaths, fs.locks], [[], 0]);
  for (const { path, version, acknowledged } of copies) {
    assert(version >= acknowledged, "what was acknowledged before is in the copy");
    // Whatever the time was then: by the machine's clock, all that can expire has.
    const expected = writer.written.at(version, FAR_MS - 1);
    assert.deepEqual(await contentsOf(fs, path), { entries: expected, version });
  }
  return beside;
}

/** Writes at random and notes what comes of it. */
class Writer {
  readonly written = new WrittenRecords();
  /** The newest version that was acknowledged. */
  acknowledged = 0;
  readonly #store: KvStore;
  readonly #random: SeededRandom;
  #pending = new Set<Promise<void>>();

  constructor(store: KvStore, random: SeededRandom) {
    this.#store = store;
    this.#random = random;
  }

  /** Begins a write; it may not have been acknowledged yet. */
  write(): void {
    const random = this.#random;
    const kind = random.below(10);
    if (kind < 3) this.#batch();
    else if (kind < 5) this.#delete(random.pick(KEYS));
    else this.#batchOf([this.#anySet()]);
  }

  /** Waits for all writes. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #anySet(): BatchOp {
    const random = this.#random;
    const value = pattern(random.pick([0, 10, 100, 600]), random.below(255));
    const set = { op: "set" as const, key: random.pick(KEYS), value };
    if (random.chance(0.8)) return set;
    return { ...set, expiresAt: random.chance(0.5) ? NOW_MS + random.between(1, 60) : FAR_MS };
  }

  #batch(): void {
    const random = this.#random;
    const ops = Array.from(
      { length: random.between(2, 6) },
      (): BatchOp => random.chance(0.3) ? { op: "del", key: random.pick(KEYS) } : this.#anySet(),
    );
    this.#batchOf(ops);
  }

  #batchOf(ops: BatchOp[]): void {
    this.#track(this.#store.batch(ops), (version) => {
      ops.forEach((op, index) =>
        this.written.records.push({
          version: version - (ops.length - 1 - index),
          batchStart: version - (ops.length - 1),
          key: op.key as string,
          value: op.op === "set" ? op.value as Uint8Array : undefined,
          expiresAt: op.op === "set" ? op.expiresAt : undefined,
        })
      );
    });
  }

  #delete(key: string): void {
    // One that is not there writes nothing.
    this.#track(this.#store.delete(key), (version) => {
      this.written.records.push({
        version,
        batchStart: version,
        key,
        value: undefined,
        expiresAt: undefined,
      });
    });
  }

  #track(write: Promise<{ version: number }>, note: (version: number) => void): void {
    const tracked = write.then(({ version }) => {
      note(version);
      this.acknowledged = Math.max(this.acknowledged, version);
    }, (error) => assert.equal(error.code, "NotFound")).finally(() =>
      this.#pending.delete(tracked)
    );
    this.#pending.add(tracked);
  }
}

const FAR_MS = 8_000_000_000_000_000;
