/** The stores by name. */

import { openCairn } from "./cairn.ts";
import { openClassicLevel } from "./classic_level.ts";
import { openDenoKv } from "./deno_kv.ts";
import type { OpenEngine } from "./engine.ts";
import { openLmdb } from "./lmdb.ts";
import { openMap } from "./map.ts";
import { openSqlite, type SqliteTuning } from "./sqlite.ts";

const LARGE_STEPS: SqliteTuning = { transactionOperations: 10_000, checkpointPages: 16_384 };

/** How each store is opened; names are those of the results. */
export const ENGINES: Record<string, OpenEngine> = {
  "cairn": openCairn,
  "lmdb": openLmdb,
  "lmdb noSync": (directory) => openLmdb(directory, "none"),
  "lmdb, one turn": (directory, durability) => openLmdb(directory, durability, Infinity),
  "classic-level": openClassicLevel,
  "sqlite": openSqlite,
  "sqlite, large steps": (directory, durability) => openSqlite(directory, durability, LARGE_STEPS),
  "deno kv": openDenoKv,
  "map": openMap,
};
