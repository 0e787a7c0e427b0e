/** Stalls of the event loop while a large store grows, is compacted and is closed. */

import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { BATCH } from "../engines/cairn.ts";
import { keyOf, makeValue, NumberShuffle } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";
import { nextTurn, Samples } from "./turns.ts";

/** Operations that the load itself does in one turn; together some tens of microseconds. */
const OPERATIONS_PER_TURN = 16;
const OVERWRITTEN_SHARE = 0.5;

/** Calls `work` in each turn until it says that it is done, and takes the time between turns. */
async function watch(work: () => boolean): Promise<Samples> {
  const samples = new Samples();
  let before = performance.now();
  while (!work()) {
    await nextTurn();
    const now = performance.now();
    samples.add(now - before);
    before = now;
  }
  return samples;
}

function figuresOf(phase: string, samples: Samples): Figures {
  return {
    [`${phase}StallLongestMillis`]: samples.longest,
    [`${phase}StallP999Millis`]: samples.quantile(0.999),
    [`${phase}TurnP50Millis`]: samples.quantile(0.5),
  };
}

/** What an index takes for a key of 16 bytes, about. */
const INDEX_BYTES_PER_KEY = 54;
const SLAB_BYTES = 16 << 20;

/**
 * The same load on nothing: what the runtime and the machine stall by themselves. It holds as much
 * shared memory as the index of all keys, since runtimes collect garbage, and clear it away, in
 * larger steps the more memory there is.
 */
function watchNothing(keys: number, value: Uint8Array): Promise<Samples> {
  const slabs: Uint8Array[] = [];
  while (slabs.length * SLAB_BYTES < keys * INDEX_BYTES_PER_KEY) {
    slabs.push(new Uint8Array(new SharedArrayBuffer(SLAB_BYTES)).fill(1));
  }
  const order = new NumberShuffle(keys, 1);
  let version = 0;
  // deno-lint-ignore require-await -- a store's method returns a promise, too
  const set = async (_key: string, bytes: Uint8Array) => {
    slabs[0]!.set(bytes);
    return { version: ++version, created: true };
  };
  const ignore = () => {};
  let left = keys;
  return watch(() => {
    for (let each = 0; each < OPERATIONS_PER_TURN; each++) {
      set(keyOf(order.next()), value).catch(ignore);
    }
    left -= OPERATIONS_PER_TURN;
    return left <= 0;
  });
}

/** Grows a store to all keys, overwrites half of them, and compacts it. */
export async function pauses(input: TaskInput): Promise<Figures> {
  const { directory, keys, valueBytes } = input;
  const value = makeValue(valueBytes);
  const store = await KvStore.open(directory, { ...BATCH, compaction: { auto: false } });
  const order = new NumberShuffle(keys, 1);
  let failure: unknown;
  const fail = (error: unknown) => failure ??= error;
  let left = 0;
  const setSome = () => {
    for (let each = 0; each < OPERATIONS_PER_TURN; each++) {
      store.set(keyOf(order.next()), value).catch(fail);
    }
    left -= OPERATIONS_PER_TURN;
    return left <= 0;
  };
  const machine = await watchNothing(keys, value);
  left = keys;
  const growing = await watch(setSome);
  left = keys * OVERWRITTEN_SHARE;
  const overwriting = await watch(setSome);
  let compacting = true;
  const compaction = store.compact().catch(fail).finally(() => compacting = false);
  const compacted = await watch(() => {
    for (let each = 0; each < OPERATIONS_PER_TURN; each += 2) {
      const key = keyOf(order.next());
      store.get(key).catch(fail);
      store.set(key, value).catch(fail);
    }
    return !compacting;
  });
  await compaction;
  let closed = false;
  const closing = store.close().catch(fail).finally(() => closed = true);
  const whileClosing = await watch(() => closed);
  await closing;
  if (failure !== undefined) throw failure;
  const longest = Math.max(growing.longest, overwriting.longest, compacted.longest);
  return {
    stallLongestMillis: longest,
    ...figuresOf("machine", machine),
    ...figuresOf("growth", growing),
    ...figuresOf("overwrite", overwriting),
    ...figuresOf("compaction", compacted),
    ...figuresOf("close", whileClosing),
    residentMiB: process.memoryUsage().rss / 2 ** 20,
  };
}
