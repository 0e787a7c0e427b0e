/**
 * Filling a store with batch durability, and reading all keys in another random order.
 *
 * Only the store's own work is timed: keys are made block by block just before. Of a million strings
 * made beforehand, each would have to be fetched from memory, which takes longer than many a read.
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ENGINES } from "../engines/mod.ts";
import { type Engine, GROUP_OPERATIONS } from "../engines/engine.ts";
import { makeValue, nextKeys, NumberShuffle, perSecond, settle, timed } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";

const FILL_SEED = 1;
const READ_SEED = 2;
/** Asynchronous reads are sampled: some stores have no others, and take long for them. */
const ASYNC_READS_MAX = 100_000;
/** Keys of another store that each subject is warmed up with: compilers do their work then. */
const WARM_UP_KEYS_MAX = 50_000;

/** Milliseconds that `work` takes for `count` keys of an order, given to it in blocks. */
async function timedBlocks(
  order: NumberShuffle,
  count: number,
  blockKeys: number,
  work: (keys: readonly string[]) => Promise<void> | void,
): Promise<number> {
  let millis = 0;
  for (let done = 0; done < count; done += blockKeys) {
    const keys = nextKeys(order, Math.min(blockKeys, count - done));
    millis += await timed(() => work(keys));
  }
  return millis;
}

/** Milliseconds of filling an empty store. */
async function fill(engine: Engine, count: number, value: Uint8Array): Promise<number> {
  const order = new NumberShuffle(count, FILL_SEED);
  const millis = await timedBlocks(
    order,
    count,
    engine.groupKeys,
    (keys) => engine.fill(keys, value),
  );
  return millis + await timed(() => engine.flush());
}

/** Gets all of `count` keys, and a sample of them asynchronously. */
async function read(engine: Engine, count: number, valueBytes: number): Promise<Figures> {
  const figures: Figures = {};
  const { get, getAsync } = engine;
  const order = () => new NumberShuffle(count, READ_SEED);
  if (get !== undefined) {
    let bytes = 0;
    const millis = await timedBlocks(order(), count, GROUP_OPERATIONS, (keys) => {
      for (const key of keys) bytes += get(key)!.length;
    });
    assert.equal(bytes, count * valueBytes);
    figures["getPerSecond"] = perSecond(count, millis);
  }
  if (getAsync !== undefined) {
    const sampled = Math.min(count, ASYNC_READS_MAX);
    let bytes = 0;
    const millis = await timedBlocks(order(), sampled, GROUP_OPERATIONS, async (keys) => {
      for (const key of keys) bytes += (await getAsync(key))!.length;
    });
    assert.equal(bytes, sampled * valueBytes);
    figures["getAsyncPerSecond"] = perSecond(sampled, millis);
  }
  return figures;
}

/** Sets all keys, then gets all. */
export async function bulk(input: TaskInput): Promise<Figures> {
  const { subject, directory, keys: count, valueBytes } = input;
  const value = makeValue(valueBytes);
  const open = (name: string) => {
    mkdirSync(join(directory, name));
    return ENGINES[subject]!(join(directory, name), "batch");
  };
  const warmUp = await open("warm-up");
  const warmUpCount = Math.min(count, WARM_UP_KEYS_MAX);
  await fill(warmUp, warmUpCount, value);
  await read(warmUp, warmUpCount, valueBytes);
  await warmUp.close();
  const engine = await open("store");
  const fillMs = await fill(engine, count, value);
  await settle();
  const figures = await read(engine, count, valueBytes);
  await engine.close();
  return { setPerSecond: perSecond(count, fillMs), ...figures };
}
