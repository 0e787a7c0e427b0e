/** What a get and a set cost in a large store, beside a small one in the same process. */

import { join } from "node:path";
import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { BATCH } from "../engines/cairn.ts";
import { GROUP_OPERATIONS } from "../engines/engine.ts";
import { median } from "../statistics.ts";
import { flatKeyOf, keyOf, makeValue, nextKeys, NumberShuffle } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";

/** The small store has this share of the large one's keys. */
const SMALL_SHARE = 1 / 100;
const BLOCK_OPERATIONS = 100_000;
/** Blocks of each kind, of which the first ones only warm up. */
const BLOCKS = 9;
const WARM_UP_BLOCKS = 2;

interface Side {
  store: KvStore;
  keys: number;
  /** Which key is next: all once before any comes again. */
  order: NumberShuffle;
}

/** Nanoseconds of an operation, by its name. */
type Costs = Record<"get" | "set" | "insert", number[]>;

async function open(directory: string, name: string, keys: number): Promise<Side> {
  const options = { ...BATCH, compaction: { auto: false } };
  const store = await KvStore.open(join(directory, name), options);
  return { store, keys, order: new NumberShuffle(keys, 3) };
}

/** Nanoseconds for each of `count` keys, which are made a group at a time before it is timed. */
function cost(
  count: number,
  keysOf: (done: number, length: number) => readonly string[],
  operation: (key: string) => void,
): number {
  let millis = 0;
  for (let done = 0; done < count; done += GROUP_OPERATIONS) {
    const keys = keysOf(done, Math.min(GROUP_OPERATIONS, count - done));
    const begin = performance.now();
    for (const key of keys) operation(key);
    millis += performance.now() - begin;
  }
  return millis * 1e6 / count;
}

/** One block of each kind. */
async function block(side: Side, value: Uint8Array, costs: Costs, number: number): Promise<void> {
  const { store, keys, order } = side;
  const existing = (_: number, length: number) => nextKeys(order, length);
  const operations = Math.min(BLOCK_OPERATIONS, keys);
  const set = (key: string) => void store.setSync(key, value);
  costs.get.push(cost(operations, existing, (key) => void store.getSync(key)));
  costs.set.push(cost(operations, existing, set));
  await store.flush();
  const count = Math.ceil(keys / 100);
  const first = keys + number * count;
  const fresh = (done: number, length: number) =>
    Array.from({ length }, (_, index) => flatKeyOf(first + done + index));
  costs.insert.push(cost(count, fresh, set));
  await store.flush();
}

function costOf(samples: readonly number[]): number {
  return median(samples.slice(WARM_UP_BLOCKS));
}

/** Fills both stores and lets them take turns, block by block. */
export async function growth(input: TaskInput): Promise<Figures> {
  const { directory, keys, valueBytes } = input;
  const value = makeValue(valueBytes);
  const rssBefore = process.memoryUsage().rss;
  const large = await open(directory, "large", keys);
  const filling = new NumberShuffle(keys, 1);
  for (let count = 0; count < keys; count++) large.store.setSync(keyOf(filling.next()), value);
  await large.store.flush();
  const { indexBytes, indexKeyBytes } = large.store.stats();
  const rss = process.memoryUsage().rss - rssBefore;
  const small = await open(directory, "small", Math.ceil(keys * SMALL_SHARE));
  for (let number = 0; number < small.keys; number++) small.store.setSync(keyOf(number), value);
  await small.store.flush();
  const costs = [small, large].map((): Costs => ({ get: [], set: [], insert: [] }));
  for (let number = 0; number < BLOCKS; number++) {
    await block(small, value, costs[0]!, number);
    await block(large, value, costs[1]!, number);
  }
  await small.store.close();
  await large.store.close();
  const figures: Figures = {
    indexBytesPerKey: (indexBytes - indexKeyBytes) / keys,
    residentBytesPerKey: rss / keys,
  };
  for (const name of ["get", "set", "insert"] as const) {
    const [ofSmall, ofLarge] = costs.map((each) => costOf(each[name]));
    figures[`${name}SmallNanos`] = ofSmall!;
    figures[`${name}LargeNanos`] = ofLarge!;
    figures[`${name}CostRatio`] = ofLarge! / ofSmall!;
  }
  return figures;
}
