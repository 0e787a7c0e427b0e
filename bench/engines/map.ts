/** A JavaScript Map: no disk at all, but the same copies in and out. */

import { type Engine, GROUP_OPERATIONS } from "./engine.ts";

/** Opens a Map. */
export function openMap(): Promise<Engine> {
  const map = new Map<string, Uint8Array>();
  return Promise.resolve({
    groupKeys: GROUP_OPERATIONS,
    fill(keys, value) {
      for (const key of keys) map.set(key, value.slice());
    },
    flush() {},
    get: (key) => map.get(key)?.slice(),
    // deno-lint-ignore require-await
    set: async (key, value) => void map.set(key, value.slice()),
    close() {},
  });
}
