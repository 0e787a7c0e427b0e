/** How long 64 clients wait for a get and for a durable set, with and without compaction. */

import { KvStore } from "../../lib/mod.ts";
import { BATCH } from "../engines/cairn.ts";
import { keyOf, makeValue, NumberShuffle } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";
import { nextTurn, Samples } from "./turns.ts";

const CLIENTS = 64;
const OVERWRITTEN_SHARE = 0.5;

interface Waits {
  get: Samples;
  set: Samples;
}

/** One client: in turn a get and a set, each from when it comes to when it is answered. */
async function client(
  store: KvStore,
  order: NumberShuffle,
  value: Uint8Array,
  waits: Waits,
  isOver: () => boolean,
): Promise<void> {
  for (let isGet = true; !isOver(); isGet = !isGet) {
    const key = keyOf(order.next());
    const begin = performance.now();
    // A request comes through the event loop, and so waits for what keeps that busy.
    await nextTurn();
    if (isGet) await store.get(key);
    else await store.set(key, value);
    (isGet ? waits.get : waits.set).add(performance.now() - begin);
  }
}

async function load(
  store: KvStore,
  order: NumberShuffle,
  value: Uint8Array,
  isOver: () => boolean,
): Promise<Waits> {
  const waits = { get: new Samples(), set: new Samples() };
  await Promise.all(
    Array.from({ length: CLIENTS }, () => client(store, order, value, waits, isOver)),
  );
  return waits;
}

function during(millis: number): () => boolean {
  const end = performance.now() + millis;
  return () => performance.now() >= end;
}

/** Fills a store, makes half of it dead, and measures the same load idle and during compaction. */
export async function compactionLatency(input: TaskInput): Promise<Figures> {
  const { directory, keys, millis, valueBytes } = input;
  const value = makeValue(valueBytes);
  const order = new NumberShuffle(keys, 1);
  const filling = await KvStore.open(directory, { ...BATCH, compaction: { auto: false } });
  const writes = keys * (1 + OVERWRITTEN_SHARE);
  for (let count = 0; count < writes; count++) filling.setSync(keyOf(order.next()), value);
  await filling.close();
  const store = await KvStore.open(directory, { compaction: { auto: false } });
  await load(store, order, value, during(millis / 2));
  const idle = await load(store, order, value, during(millis));
  let compacting = true;
  const compaction = store.compact().finally(() => compacting = false);
  const begin = performance.now();
  const busy = await load(store, order, value, () => !compacting);
  const compactionMillis = performance.now() - begin;
  await compaction;
  await store.close();
  const figures: Figures = { compactionMillis };
  for (const name of ["get", "set"] as const) {
    const [calm, compacted] = [idle[name].quantile(0.99), busy[name].quantile(0.99)];
    figures[`${name}IdleP99Millis`] = calm;
    figures[`${name}CompactionP99Millis`] = compacted;
    figures[`${name}P99Ratio`] = compacted / calm;
  }
  return figures;
}
