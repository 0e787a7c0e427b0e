/** Reading one store on several threads at once, alone and beside a thread that writes. */

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { KvStore } from "../../lib/mod.ts";
import { makeKeys, makeValue, perSecond, settle, shuffle } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";
import {
  fillStore,
  MEASURING,
  type ReaderJob,
  type ReaderReport,
  READY,
  STOPPED,
  THREADS_OPTIONS,
} from "./thread_reader.ts";

/** What a subject has beside the store's own thread, and what that does meanwhile. */
interface Scene {
  readers: number;
  /** The store's own thread writes, or reads. */
  own?: "writes" | "reads";
  /** Each reader reads a store of its own instead, opened on its thread. */
  apart?: boolean;
  /** A hundredth of the keys, all in a few shards of the index. */
  small?: boolean;
}

/** The subjects by name. */
export const THREAD_SUBJECTS: Record<string, Scene> = {
  "store, no readers": { readers: 0, own: "reads" },
  "1 reader": { readers: 1 },
  "2 readers": { readers: 2 },
  "2 stores on 2 threads": { readers: 2, apart: true },
  "writer, no readers": { readers: 0, own: "writes" },
  "writer, shared": { readers: 0, own: "writes" },
  "writer, 1 reader": { readers: 1, own: "writes" },
  "writer, 2 readers": { readers: 2, own: "writes" },
  "few keys: 1 reader": { readers: 1, small: true },
  "few keys: writer, 1 reader": { readers: 1, own: "writes", small: true },
};

const WRITE_SEED = 0x1b873593;
/** Calls of the store's own thread between turns of the event loop. */
const CALLS_PER_TURN = 8192;
/** Part of the time that does not count. */
const WARM_UP_SHARE = 0.5;

/** Runs one scene; gets, and sets if there are any, of all threads together. */
export async function threads(whole: TaskInput): Promise<Figures> {
  const scene = THREAD_SUBJECTS[whole.subject]!;
  const input = { ...whole, keys: scene.small === true ? Math.ceil(whole.keys / 100) : whole.keys };
  const keys = makeKeys(input.keys);
  await using store = await KvStore.open(join(input.directory, "shared"), THREADS_OPTIONS);
  await fillStore(store, keys, input.valueBytes);
  const isShared = scene.readers > 0 || input.subject === "writer, shared";
  const handle = isShared && scene.apart !== true ? store.share() : undefined;
  const state = new Int32Array(new SharedArrayBuffer(8));
  const readers = Array.from({ length: scene.readers }, (_, number) => {
    const directory = join(input.directory, `own-${number}`);
    return startReader({ ...input, directory, handle, state, seed: number + 1 });
  });
  let failure: unknown;
  void Promise.all(readers).catch((error) => failure = error);
  while (Atomics.load(state, READY) < scene.readers) {
    await delay(1);
    if (failure !== undefined) throw failure;
  }
  await settle();
  const counts = { gets: 0, sets: 0 };
  const work = ownWork(store, scene.own, shuffle(keys, WRITE_SEED), input.valueBytes, counts);
  await work(input.millis * WARM_UP_SHARE);
  Object.assign(counts, { gets: 0, sets: 0 });
  Atomics.store(state, MEASURING, 1);
  const millis = await work(input.millis);
  Atomics.store(state, MEASURING, STOPPED);
  const reports = await Promise.all(readers);
  let getPerSecond = perSecond(counts.gets, millis);
  let gets = 0;
  let failed = 0;
  for (const report of reports) {
    getPerSecond += perSecond(report.gets, report.millis);
    gets += report.gets;
    failed += report.failedAttempts;
  }
  return {
    ...(getPerSecond === 0 ? {} : { getPerSecond }),
    ...(counts.sets === 0 ? {} : { setPerSecond: perSecond(counts.sets, millis) }),
    ...(scene.own === "writes" && gets > 0 ? { failedPerMillionGets: failed / gets * 1e6 } : {}),
  };
}

/** What the store's own thread does for so many milliseconds; returns how many it were. */
function ownWork(
  store: KvStore,
  own: Scene["own"],
  keys: readonly string[],
  valueBytes: number,
  counts: { gets: number; sets: number },
): (millis: number) => Promise<number> {
  const value = makeValue(valueBytes);
  let next = 0;
  const turn = () => {
    for (let call = 0; call < CALLS_PER_TURN; call++) {
      const key = keys[next]!;
      next = next + 1 === keys.length ? 0 : next + 1;
      if (own === "writes") store.setSync(key, value);
      else store.getSync(key);
    }
    if (own === "writes") counts.sets += CALLS_PER_TURN;
    else counts.gets += CALLS_PER_TURN;
  };
  return async (millis) => {
    const begin = performance.now();
    if (own === undefined) await delay(millis);
    while (performance.now() - begin < millis) {
      turn();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return performance.now() - begin;
  };
}

function startReader(job: ReaderJob): Promise<ReaderReport> {
  const worker = new Worker(new URL("thread_reader.ts", import.meta.url), { workerData: job });
  return new Promise<ReaderReport>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  }).finally(() => worker.terminate());
}
