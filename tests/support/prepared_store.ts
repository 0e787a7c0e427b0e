/** Stores to begin with, in directories of their own. */

import { mkdirSync } from "node:fs";
import { KvStore } from "../../lib/mod.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import type { Step } from "./planned_writes.ts";

/** Takes the steps one after the other. */
export async function takeSteps(
  store: KvStore,
  steps: readonly Step[],
  onAcknowledged: () => void = () => {},
): Promise<void> {
  for (const step of steps) {
    await store.batch(
      step.map(([key, value]) =>
        value === undefined ? { op: "del", key } : { op: "set", key, value }
      ),
    );
    onAcknowledged();
  }
}

/** Creates `directory` with a store named `db` in it, in which `steps` were taken. */
export async function prepareStore(
  directory: string,
  steps: readonly Step[],
  options: OpenOptions = {},
): Promise<void> {
  mkdirSync(directory);
  const store = await KvStore.open(`${directory}/db`, {
    compaction: { auto: false },
    ...options,
  });
  await takeSteps(store, steps);
  await store.close();
}

/** Steps that overwrite, delete and set, so that most of what they write is dead in the end. */
export function churn(count: number, valueBytes: number): Step[] {
  const steps: Step[] = [];
  for (let index = 0; index < count; index++) {
    const value = `value ${index} `.padEnd(valueBytes, "-");
    steps.push([[`key ${index % 5}`, value]]);
    if (index % 4 === 3) steps.push([[`key ${(index * 3) % 5}`, undefined]]);
    if (index % 3 === 2) steps.push([[`left ${index}`, value], [`right ${index}`, value]]);
  }
  return steps;
}
