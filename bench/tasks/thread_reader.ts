/** A thread that reads as fast as it can; see threads.ts. */

import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { Patience } from "../../lib/index/patience.ts";
import { KvReader, KvStore, type OpenOptions, type SharedStore } from "../../lib/mod.ts";
import { BATCH } from "../engines/cairn.ts";
import { makeKeys, makeValue, shuffle } from "../workload.ts";

/** Word of the state that counts the threads that are ready. */
export const READY = 0;
/** Word that is 1 while reads count, and then {@link STOPPED}. */
export const MEASURING = 1;
/** Value of the word {@link MEASURING} that ends the threads. */
export const STOPPED = 2;

/** What a thread is to read, and where it is told when. */
export interface ReaderJob {
  /** Undefined for a thread with a store of its own. */
  handle: SharedStore | undefined;
  directory: string;
  keys: number;
  valueBytes: number;
  state: Int32Array;
  seed: number;
}

/** What a thread has done. */
export interface ReaderReport {
  gets: number;
  millis: number;
  /** Attempts to look a key up that came to nothing, since the index changed meanwhile. */
  failedAttempts: number;
}

const GETS_PER_LOOK = 256;
/** What is overwritten stays: compaction would be a third thing to share the processors with. */
export const THREADS_OPTIONS: OpenOptions = { ...BATCH, compaction: { auto: false } };

/** Fills a store with the keys, as all of `threads` do. */
export async function fillStore(
  store: KvStore,
  keys: readonly string[],
  valueBytes: number,
): Promise<void> {
  const value = makeValue(valueBytes);
  for (const key of keys) store.setSync(key, value);
  await store.flush();
}

/** Reads all keys in turn, in an order of the seed's, until told to stop. */
function readUntilStopped(
  get: (key: string) => Uint8Array | undefined,
  { keys: count, valueBytes, state, seed }: ReaderJob,
): ReaderReport {
  let failedAttempts = 0;
  // The one place that every failed attempt comes to; and no other does.
  const { afterAttempt } = Patience.prototype;
  Patience.prototype.afterAttempt = function (attempt) {
    failedAttempts++;
    afterAttempt.call(this, attempt);
  };
  const keys = shuffle(makeKeys(count), seed);
  let next = 0;
  const readSome = () => {
    for (let i = 0; i < GETS_PER_LOOK; i++) {
      if (get(keys[next]!)?.length !== valueBytes) throw new Error(`${keys[next]} is missing`);
      next = next + 1 === keys.length ? 0 : next + 1;
    }
  };
  for (let read = 0; read < count; read += GETS_PER_LOOK) readSome();
  Atomics.add(state, READY, 1);
  while (Atomics.load(state, MEASURING) === 0) readSome();
  const begin = performance.now();
  failedAttempts = 0;
  let gets = 0;
  do {
    readSome();
    gets += GETS_PER_LOOK;
  } while (Atomics.load(state, MEASURING) !== STOPPED);
  return { gets, millis: performance.now() - begin, failedAttempts };
}

async function run(job: ReaderJob): Promise<ReaderReport> {
  if (job.handle !== undefined) {
    using reader = KvReader.attach(job.handle);
    return readUntilStopped((key) => reader.getSync(key), job);
  }
  await using store = await KvStore.open(job.directory, THREADS_OPTIONS);
  await fillStore(store, makeKeys(job.keys), job.valueBytes);
  return readUntilStopped((key) => store.getSync(key), job);
}

if (!isMainThread) parentPort!.postMessage(await run(workerData as ReaderJob));
