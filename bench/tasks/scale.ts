/** What operations cost, and what a key takes in memory, in a store of one size. */

import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { BATCH } from "../engines/cairn.ts";
import { keyOf, makeValue, NumberShuffle } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";

const BLOCK_OPERATIONS = 100_000;
/** Reads and overwrites are sampled. */
const OPERATIONS_MAX = 2_000_000;

/** Nanoseconds of an operation; keys are made block by block, outside the time. */
function cost(count: number, order: NumberShuffle, operation: (key: string) => void): number {
  let millis = 0;
  for (let done = 0; done < count; done += BLOCK_OPERATIONS) {
    const length = Math.min(BLOCK_OPERATIONS, count - done);
    const keys = Array.from({ length }, () => keyOf(order.next()));
    const begin = performance.now();
    for (const key of keys) operation(key);
    millis += performance.now() - begin;
  }
  return millis * 1e6 / count;
}

/** Fills, reads, overwrites, closes and opens. */
export async function scale(input: TaskInput): Promise<Figures> {
  const { directory, keys, valueBytes } = input;
  const value = makeValue(valueBytes);
  const rssBefore = process.memoryUsage().rss;
  const store = await KvStore.open(directory, { ...BATCH, compaction: { auto: false } });
  const set = (key: string) => void store.setSync(key, value);
  const insertNanos = cost(keys, new NumberShuffle(keys, 1), set);
  await store.flush();
  const { indexBytes, indexKeyBytes } = store.stats();
  const residentBytesPerKey = (process.memoryUsage().rss - rssBefore) / keys;
  const sampled = Math.min(keys, OPERATIONS_MAX);
  const getNanos = cost(sampled, new NumberShuffle(keys, 2), (key) => void store.getSync(key));
  const overwriteNanos = cost(sampled, new NumberShuffle(keys, 3), set);
  await store.close();
  const begin = performance.now();
  const opened = await KvStore.open(directory, BATCH);
  const openSeconds = (performance.now() - begin) / 1000;
  await opened.close();
  return {
    insertNanos,
    getNanos,
    overwriteNanos,
    indexBytesPerKey: (indexBytes - indexKeyBytes) / keys,
    residentBytesPerKey,
    openSeconds,
  };
}
