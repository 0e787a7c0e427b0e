/**
 * One writer and readers on other threads, as fast as they can: growth, deletes, expiry, rotation,
 * compaction and reopening under the readers, memory maps and space kept ready, and no value torn,
 * stale, reclaimed or missing. Takes longer with CAIRN_HAMMER_SECONDS.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { KvError } from "../../lib/errors.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { Durability, OpenOptions, WriteResult } from "../../lib/store/types.ts";
import {
  describe,
  growthKeyOf,
  type HammerJob,
  keyOf,
  kindOf,
  type Ledger,
  makeLedger,
} from "../support/self_describing.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/test_store.ts";

const SECONDS = Number(process.env["CAIRN_HAMMER_SECONDS"] ?? 0);
const KEYS = 500;
const READERS = 2;
/** Further keys, so that the index grows by shards and slabs while it is read. */
const GROWTH_KEYS = 30_000 + SECONDS * 5000;
const GROWTH_STEP = 500;
const READS_MIN = 3000;
const REOPENINGS_MIN = 3;
const ROUNDS_BETWEEN_REOPENINGS = 40;
const TTL_MS = 5;

class Writer {
  /** What is written to; none of its writes is under way when another one takes its place. */
  store: KvStore;
  readonly #begun: Int32Array;
  readonly #acknowledged: Int32Array;
  #random = 12345;
  readonly #grown: Int32Array;
  #failure: unknown;

  constructor(store: KvStore, ledger: Ledger) {
    this.store = store;
    this.#begun = new Int32Array(ledger.begun);
    this.#acknowledged = new Int32Array(ledger.acknowledged);
    this.#grown = new Int32Array(ledger.grown);
  }

  get grown(): number {
    return this.#grown[0]!;
  }

  /** Some writes of all kinds; resolves when all of them are acknowledged. */
  async write(): Promise<void> {
    const written: Promise<unknown>[] = [];
    for (let i = 0; i < 100; i++) {
      this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
      written.push(this.#writeOne((this.#random >>> 8) % KEYS));
    }
    if (this.grown < GROWTH_KEYS) written.push(this.#grow());
    await Promise.all(written);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #grow(): Promise<void> {
    const first = this.grown;
    const ops = Array.from({ length: GROWTH_STEP }, (_, i) => growthKeyOf(first + i))
      .map((key) => ({ op: "set" as const, key, value: key }));
    await this.store.batch(ops);
    Atomics.store(this.#grown, 0, first + GROWTH_STEP);
  }

  #writeOne(key: number): Promise<void> {
    const number = this.#begun[key]! + 1;
    Atomics.store(this.#begun, key, number);
    return this.#start(key, number).then(
      () => this.#acknowledge(key, number),
      (error) => {
        // A key may have expired before it is deleted.
        if (error instanceof KvError && error.code === "NotFound") this.#acknowledge(key, number);
        else this.#failure = error;
      },
    );
  }

  #start(key: number, number: number): Promise<WriteResult> {
    const name = keyOf(key);
    switch (kindOf(number)) {
      case "delete":
        return this.store.delete(name);
      case "expiring":
        return this.store.set(name, describe(key, number), { ttl: TTL_MS });
      case "set":
        return this.store.set(name, describe(key, number));
    }
  }

  #acknowledge(key: number, number: number): void {
    if (number > this.#acknowledged[key]!) Atomics.store(this.#acknowledged, key, number);
  }
}

/** Only Bun maps files, and only Linux tells. */
const CAN_MAP = "Bun" in globalThis && process.platform === "linux";

/** How many maps this process has of files in a directory. */
function mapsOf(directory: string): number {
  if (!CAN_MAP) return 0;
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  return lines.filter((line) => line.includes(directory)).length;
}

/** A reader on a thread of its own; `ended` resolves to what was wrong, or "done". */
function startReader(job: HammerJob): { worker: Worker; ended: Promise<string> } {
  const worker = new Worker(new URL("../support/hammer_reader.ts", import.meta.url), {
    workerData: job,
  });
  const ended = new Promise<string>((resolve) => {
    worker.on("message", resolve);
    worker.on("error", (error) => resolve(`reader ${job.reader}: ${error}`));
  });
  return { worker, ended };
}

const DURABILITIES: [string, Durability][] = [
  ["immediate", "immediate"],
  ["batched", { bytes: 1 << 20, millis: 50 }],
];

for (const [name, durability] of DURABILITIES) {
  test(`readers on other threads, ${name}: see each write whole, and none too late`, {
    timeout: 120_000 + SECONDS * 2000,
  }, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("store");
    const options: OpenOptions = {
      durability,
      segmentBytesMax: 1 << 20,
      compaction: { auto: true, totalBytes: 1 << 20, deadBytesMin: 1 << 18 },
      checkpointRecordsMin: 0,
    };
    const ledger = makeLedger(KEYS, READERS + 1);
    const state = new Int32Array(ledger.state);
    const writer = new Writer(await KvStore.open(path, options), ledger);
    const handle = writer.store.share();
    const jobs = [1, 2, 3].map((reader) => ({ handle, ledger, keys: KEYS, reader }));
    const readers = jobs.map(startReader);
    let problem: string | undefined;
    for (const { ended } of readers) void ended.then((message) => problem ??= message);
    const doomed = readers[READERS]!;
    let isDoomedGone = false;
    let compactions = 0;
    let reopenings = 0;
    let checkpoints = 0;
    let mapsSeen = 0;
    const begin = performance.now();
    const isEnough = () =>
      writer.grown >= GROWTH_KEYS && isDoomedGone && compactions > 0 &&
      reopenings >= REOPENINGS_MIN && checkpoints > 0 && (mapsSeen > 0 || !CAN_MAP) &&
      [1, 2].every((reader) => Atomics.load(state, reader) >= READS_MIN) &&
      performance.now() - begin >= SECONDS * 1000;
    for (let round = 1; problem === undefined && !isEnough(); round++) {
      await writer.write();
      // One is ended in the midst of reading: the others, and the writer, are to notice nothing.
      if (!isDoomedGone && Atomics.load(state, READERS + 1) > 500) {
        isDoomedGone = true;
        await doomed.worker.terminate();
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (round % ROUNDS_BETWEEN_REOPENINGS > 0) continue;
      mapsSeen += mapsOf(path);
      // A busy machine may not come to the end of one by itself.
      if (compactions === 0 && reopenings >= REOPENINGS_MIN) await writer.store.compact();
      compactions += writer.store.stats().compactions;
      await writer.store.close();
      writer.store = await KvStore.open(path, options);
      reopenings++;
      checkpoints += writer.store.stats().replay.checkpointKeys > 0 ? 1 : 0;
      for (const { worker } of readers) worker.postMessage(writer.store.share());
    }
    assert.equal(problem, undefined);
    Atomics.store(state, 0, 1);
    for (const { ended } of readers.slice(0, READERS)) assert.equal(await ended, "done");
    for (const { worker } of readers) await worker.terminate();
    await writer.store.close();
    await until("nothing of the store is mapped", () => mapsOf(path) === 0);
    const { ok, problems } = await KvStore.verify(path);
    assert(ok, JSON.stringify(problems));
  });
}
