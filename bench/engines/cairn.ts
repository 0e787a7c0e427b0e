/** Cairn, as it is embedded into a program. */

import { KvStore, type OpenOptions } from "../../lib/mod.ts";
import { type Durability, type Engine, GROUP_OPERATIONS } from "./engine.ts";

/** What batch durability means in all measurements. */
export const BATCH: OpenOptions = { durability: { bytes: 16 << 20, millis: 200 } };

/** Opens Cairn. */
export async function openCairn(directory: string, durability: Durability): Promise<Engine> {
  const store = await KvStore.open(directory, durability === "durable" ? {} : BATCH);
  return {
    groupKeys: GROUP_OPERATIONS,
    fill(keys, value) {
      for (const key of keys) store.setSync(key, value);
    },
    flush: () => store.flush(),
    get: (key) => store.getSync(key),
    getAsync: (key) => store.get(key),
    set: (key, value) => store.set(key, value),
    close: () => store.close(),
  };
}
