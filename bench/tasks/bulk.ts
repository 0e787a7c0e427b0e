/** Filling a store with batch durability, and reading all keys in another random order. */

import assert from "node:assert/strict";
import { ENGINES } from "../engines/mod.ts";
import { makeKeys, makeValue, perSecond, settle, shuffle, timed } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";

const READ_SEED = 0x51ed270b;
/** Asynchronous reads are sampled: some stores have no others, and take long for them. */
const ASYNC_READS_MAX = 100_000;

/** Sets all keys, then gets all. */
export async function bulk(input: TaskInput): Promise<Figures> {
  const { subject, directory, keys: count, valueBytes } = input;
  const keys = makeKeys(count);
  const value = makeValue(valueBytes);
  const engine = await ENGINES[subject]!(directory, "batch");
  const fillMs = await timed(() => engine.fill(keys, value));
  shuffle(keys, READ_SEED);
  await settle();
  const figures: Figures = { setPerSecond: perSecond(count, fillMs) };
  const { get, getAsync } = engine;
  if (get !== undefined) {
    let bytes = 0;
    const getMs = await timed(() => {
      for (const key of keys) bytes += get(key)!.length;
    });
    assert.equal(bytes, count * valueBytes);
    figures["getPerSecond"] = perSecond(count, getMs);
  }
  if (getAsync !== undefined) {
    const sample = keys.slice(0, ASYNC_READS_MAX);
    let bytes = 0;
    const getMs = await timed(async () => {
      for (const key of sample) bytes += (await getAsync(key))!.length;
    });
    assert.equal(bytes, sample.length * valueBytes);
    figures["getAsyncPerSecond"] = perSecond(sample.length, getMs);
  }
  await engine.close();
  return figures;
}
