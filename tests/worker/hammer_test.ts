/**
 * One writer and readers on other threads, as fast as they can: growth, deletes, expiry, rotation and
 * compaction under the readers, and no value torn, stale, reclaimed or missing. Takes longer with
 * CAIRN_HAMMER_SECONDS.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { KvError } from "../../lib/errors.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { Durability, WriteResult } from "../../lib/store/types.ts";
import {
  describe,
  type HammerJob,
  keyOf,
  kindOf,
  type Ledger,
  makeLedger,
} from "../support/self_describing.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const SECONDS = Number(process.env["CAIRN_HAMMER_SECONDS"] ?? 0);
const KEYS = 500;
const READERS = 2;
/** Further keys, so that the index grows by shards and slabs while it is read. */
const GROWTH_KEYS = 30_000;
const READS_MIN = 3000;
const TTL_MS = 5;

class Writer {
  readonly #store: KvStore;
  readonly #begun: Int32Array;
  readonly #acknowledged: Int32Array;
  #random = 12345;
  #grown = 0;
  #failure: unknown;

  constructor(store: KvStore, ledger: Ledger) {
    this.#store = store;
    this.#begun = new Int32Array(ledger.begun);
    this.#acknowledged = new Int32Array(ledger.acknowledged);
  }

  get grown(): number {
    return this.#grown;
  }

  /** Some writes of all kinds; resolves when all of them are acknowledged. */
  async write(): Promise<void> {
    const written: Promise<unknown>[] = [];
    for (let i = 0; i < 100; i++) {
      this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
      written.push(this.#writeOne((this.#random >>> 8) % KEYS));
    }
    const ops = Array.from({ length: 500 }, () => `growth:${this.#grown++ % GROWTH_KEYS}`)
      .map((key) => ({ op: "set" as const, key, value: key }));
    written.push(this.#store.batch(ops));
    await Promise.all(written);
    if (this.#failure !== undefined) throw this.#failure;
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
        return this.#store.delete(name);
      case "expiring":
        return this.#store.set(name, describe(key, number), { ttl: TTL_MS });
      case "set":
        return this.#store.set(name, describe(key, number));
    }
  }

  #acknowledge(key: number, number: number): void {
    if (number > this.#acknowledged[key]!) Atomics.store(this.#acknowledged, key, number);
  }
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
    const store = await KvStore.open(directory.join("store"), {
      durability,
      segmentBytesMax: 1 << 20,
      compaction: { auto: true, totalBytes: 1 << 20, deadBytesMin: 1 << 18 },
    });
    const ledger = makeLedger(KEYS, READERS + 1);
    const state = new Int32Array(ledger.state);
    const handle = store.share();
    const jobs = [1, 2, 3].map((reader) => ({ handle, ledger, keys: KEYS, reader }));
    const readers = jobs.map(startReader);
    let problem: string | undefined;
    for (const { ended } of readers.slice(0, READERS)) {
      void ended.then((message) => problem ??= message);
    }
    const doomed = readers[READERS]!;
    void doomed.ended.then((message) => problem ??= message);
    let isDoomedGone = false;
    const writer = new Writer(store, ledger);
    const begin = performance.now();
    const isEnough = () =>
      writer.grown >= GROWTH_KEYS && isDoomedGone && store.stats().compactions > 0 &&
      [1, 2].every((reader) => Atomics.load(state, reader) >= READS_MIN) &&
      performance.now() - begin >= SECONDS * 1000;
    while (problem === undefined && !isEnough()) {
      await writer.write();
      // One is ended in the midst of reading: the others, and the writer, are to notice nothing.
      if (!isDoomedGone && Atomics.load(state, READERS + 1) > 500) {
        isDoomedGone = true;
        await doomed.worker.terminate();
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assert.equal(problem, undefined);
    Atomics.store(state, 0, 1);
    for (const { ended } of readers.slice(0, READERS)) assert.equal(await ended, "done");
    for (const { worker } of readers) await worker.terminate();
    await store.close();
    const { ok, problems } = await KvStore.verify(store.path);
    assert(ok, JSON.stringify(problems));
  });
}
