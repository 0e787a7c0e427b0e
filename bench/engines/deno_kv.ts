/** The key/value store that Deno brings. */

import { join } from "node:path";
import type { Engine } from "./engine.ts";

interface DenoKv {
  set(key: string[], value: Uint8Array): Promise<unknown>;
  get(key: string[]): Promise<{ value: Uint8Array | null }>;
  atomic(): { set(key: string[], value: Uint8Array): unknown; commit(): Promise<unknown> };
  close(): void;
}

/** It takes at most a thousand operations and 800 KiB in one transaction. */
const TRANSACTION_OPERATIONS = 500;

/** Opens Deno KV, which has no settings: durability is as it sees fit. */
export async function openDenoKv(directory: string): Promise<Engine> {
  const { Deno } = globalThis as unknown as { Deno: { openKv(path: string): Promise<DenoKv> } };
  const db = await Deno.openKv(join(directory, "kv.db"));
  return {
    groupKeys: TRANSACTION_OPERATIONS,
    async fill(keys, value) {
      const transaction = db.atomic();
      for (const key of keys) transaction.set([key], value);
      await transaction.commit();
    },
    flush() {},
    getAsync: async (key) => (await db.get([key])).value ?? undefined,
    set: (key, value) => db.set([key], value),
    close: () => db.close(),
  };
}
