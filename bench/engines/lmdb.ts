/** lmdb-js: a B+ tree in a memory map. */

import { type Durability, type Engine, GROUP_OPERATIONS } from "./engine.ts";
import { requirePeer } from "./peer.ts";

interface Lmdb {
  open(options: object): {
    put(key: string, value: Uint8Array): Promise<boolean>;
    getBinary(key: string): Uint8Array | undefined;
    flushed: Promise<unknown>;
    close(): Promise<void>;
  };
}

/**
 * Opens lmdb-js with raw values. `put` resolves when its transaction is committed; that it is on
 * disk too is awaited where the measurement is about that. `groupKeys` puts are in flight.
 */
export function openLmdb(
  directory: string,
  durability: Durability,
  groupKeys: number = GROUP_OPERATIONS,
): Promise<Engine> {
  const { open } = requirePeer<Lmdb>("lmdb");
  const db = open({ path: directory, encoding: "binary", noSync: durability === "none" });
  return Promise.resolve({
    groupKeys,
    async fill(keys, value) {
      let last: Promise<unknown> | undefined;
      for (const key of keys) last = db.put(key, value);
      await last;
    },
    async flush() {
      if (durability !== "none") await db.flushed;
    },
    get: (key) => db.getBinary(key),
    async set(key, value) {
      await db.put(key, value);
      if (durability === "durable") await db.flushed;
    },
    close: () => db.close(),
  });
}
