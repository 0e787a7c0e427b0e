/** Opening a store that is there: after a clean close, and after a crash. */

import { readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { BATCH } from "../engines/cairn.ts";
import { keyOf, makeValue, NumberShuffle } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";

/** What a crash leaves of a store, if none of its segments has been hinted yet. */
const LEFT_BY_CRASH = /\.log$|^ACTIVE$|^NODE_ID$/;

/** Fills a store for the tasks below, and closes it. */
export async function prepare(input: TaskInput): Promise<Figures> {
  const { directory, keys, valueBytes } = input;
  const store = await KvStore.open(directory, BATCH);
  const value = makeValue(valueBytes);
  const order = new NumberShuffle(keys, 1);
  for (let count = 0; count < keys; count++) store.setSync(keyOf(order.next()), value);
  await store.close();
  return {};
}

/** Opens after a clean close, as a program does that has just been started. */
export async function openClean(input: TaskInput): Promise<Figures> {
  const begin = performance.now();
  const store = await KvStore.open(input.directory, BATCH);
  const openMs = performance.now() - begin;
  const { size } = store;
  await store.close();
  if (size !== input.keys) throw new Error(`${size} of ${input.keys} keys are there`);
  return { openSeconds: openMs / 1000 };
}

/** Opens a store of which there is only the log, and dies without closing. */
export async function replay(input: TaskInput): Promise<Figures> {
  const wal = join(input.directory, "wal");
  for (const name of readdirSync(wal)) {
    if (!LEFT_BY_CRASH.test(name)) unlinkSync(join(wal, name));
  }
  const begin = performance.now();
  const store = await KvStore.open(input.directory, BATCH);
  const seconds = (performance.now() - begin) / 1000;
  const { records, bytes } = store.stats().replay;
  if (store.size !== input.keys) throw new Error(`${store.size} of ${input.keys} keys are there`);
  const figures = {
    recordsPerSecond: records / seconds,
    gigabytesPerSecond: bytes / seconds / 1e9,
  };
  console.log(JSON.stringify(figures));
  process.kill(process.pid, "SIGKILL");
  return figures;
}
