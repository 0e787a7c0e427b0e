/** SQLite, as each runtime brings it: bun:sqlite or node:sqlite. */

import { join } from "node:path";
import { type Durability, type Engine, GROUP_OPERATIONS } from "./engine.ts";

interface Statement {
  run(...values: unknown[]): unknown;
  get(...values: unknown[]): unknown;
}

interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

interface Modules {
  /** Of bun:sqlite. */
  Database?: new (path: string) => Database;
  /** Of node:sqlite. */
  DatabaseSync?: new (path: string) => Database;
}

/** How SQLite is asked to work, beyond what `Durability` says. */
export interface SqliteTuning {
  transactionOperations: number;
  /** Pages in the write-ahead log before they are moved to the database. */
  checkpointPages: number;
}

/** What SQLite itself does, and groups of the size that all peers get. */
const TUNING: SqliteTuning = { transactionOperations: GROUP_OPERATIONS, checkpointPages: 1000 };

/** Opens SQLite with a write-ahead log, its cache and map as large as all data. */
export async function openSqlite(
  directory: string,
  durability: Durability,
  { transactionOperations, checkpointPages }: SqliteTuning = TUNING,
): Promise<Engine> {
  // Each runtime has only one of the two, so neither can be named in an import.
  const name = "Bun" in globalThis ? "bun:sqlite" : "node:sqlite";
  const { Database, DatabaseSync } = await import(name) as Modules;
  const db = new (Database ?? DatabaseSync)!(join(directory, "kv.db"));
  db.exec("PRAGMA journal_mode = WAL");
  db.exec(`PRAGMA synchronous = ${durability === "durable" ? "FULL" : "NORMAL"}`);
  db.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
  db.exec("PRAGMA cache_size = -262144");
  db.exec("PRAGMA mmap_size = 4294967296");
  db.exec("CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB)");
  const set = db.prepare(
    "INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  );
  const get = db.prepare("SELECT value FROM kv WHERE key = ?");
  return {
    groupKeys: transactionOperations,
    fill(keys, value) {
      db.exec("BEGIN IMMEDIATE");
      for (const key of keys) set.run(key, value);
      db.exec("COMMIT");
    },
    flush() {},
    get: (key) => (get.get(key) as { value: Uint8Array } | undefined)?.value,
    // deno-lint-ignore require-await
    set: async (key, value) => void set.run(key, value),
    close: () => db.close(),
  };
}
