/** Whether the JavaScript heap stays as it is while a store works. */

import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { BATCH } from "../engines/cairn.ts";
import { keyOf, makeValue, NumberShuffle } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";

/** Overwrites for each key, in as many equal parts as the heap is looked at. */
const OVERWRITES_PER_KEY = 4;
const PARTS = 4;
const GROUP = 64;

interface Collectors {
  Bun?: { gc(isSynchronous: boolean): void };
  gc?: () => void;
}

/** Bytes on the heap when everything is collected that nobody holds. */
function heapBytes(): number {
  const { Bun, gc } = globalThis as Collectors;
  if (Bun !== undefined) Bun.gc(true);
  else gc?.();
  return process.memoryUsage().heapUsed;
}

/** Overwrites and reads at random, 64 at once, with compaction as it comes. */
export async function heap(input: TaskInput): Promise<Figures> {
  const { directory, keys, valueBytes } = input;
  const value = makeValue(valueBytes);
  const store = await KvStore.open(directory, BATCH);
  const order = new NumberShuffle(keys, 1);
  for (let count = 0; count < keys; count++) store.setSync(keyOf(order.next()), value);
  await store.flush();
  const samples: number[] = [];
  let found = 0;
  for (let part = 0; part < PARTS; part++) {
    for (let done = 0; done < keys * OVERWRITES_PER_KEY / PARTS; done += GROUP) {
      await Promise.all(Array.from({ length: GROUP }, async () => {
        const key = keyOf(order.next());
        await store.set(key, value);
        if (await store.get(key) !== undefined) found++;
      }));
    }
    // The event loop has its turn, and so has what waits for it.
    await new Promise((resolve) => setTimeout(resolve, 10));
    samples.push(heapBytes());
  }
  const { compactions } = store.stats();
  await store.close();
  const [first, last] = [samples[0]!, samples.at(-1)!];
  return { heapMiB: last / 2 ** 20, heapGrowthRatio: last / first, compactions, found };
}
