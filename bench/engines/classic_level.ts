/** classic-level: LevelDB, a log-structured merge tree. */

import { type Durability, type Engine, GROUP_OPERATIONS } from "./engine.ts";
import { requirePeer } from "./peer.ts";

interface ClassicLevel {
  ClassicLevel: new (directory: string, options: object) => {
    open(): Promise<void>;
    batch(operations: { type: "put"; key: string; value: Uint8Array }[]): Promise<void>;
    put(key: string, value: Uint8Array, options: { sync: boolean }): Promise<void>;
    getSync(key: string): Uint8Array | undefined;
    close(): Promise<void>;
  };
}

/** Opens classic-level with raw values and room for all data in its cache. */
export async function openClassicLevel(
  directory: string,
  durability: Durability,
): Promise<Engine> {
  const { ClassicLevel } = requirePeer<ClassicLevel>("classic-level");
  const db = new ClassicLevel(directory, {
    keyEncoding: "utf8",
    valueEncoding: "buffer",
    cacheSize: 256 << 20,
    writeBufferSize: 16 << 20,
  });
  await db.open();
  return {
    groupKeys: GROUP_OPERATIONS,
    fill: (keys, value) => db.batch(keys.map((key) => ({ type: "put", key, value }))),
    flush() {},
    get: (key) => db.getSync(key),
    set: (key, value) => db.put(key, value, { sync: durability === "durable" }),
    close: () => db.close(),
  };
}
