/** The table: what Cairn shall reach, row by row. */

/** Beside a peer or a bare loop of the same run. */
export interface RatioRow {
  kind: "ratio";
  name: string;
  title: string;
  measure: string;
  /** The subject that is Cairn, and the one it is held against. */
  ours: string;
  theirs: string;
  figure: string;
  atLeast: number;
}

/** An absolute limit on one figure of Cairn. */
export interface LimitRow {
  kind: "limit";
  name: string;
  title: string;
  measure: string;
  ours: string;
  figure: string;
  unit: string;
  limit: number;
  /** Whether the figure shall be at least, or at most, the limit. */
  direction: "at least" | "at most";
}

/** A row of the table. */
export type Row = RatioRow | LimitRow;

/** Rows about one figure: name, title, the subject beside which Cairn stands, and how often. */
function beside(
  measure: string,
  figure: string,
  rows: readonly [name: string, title: string, theirs: string, atLeast: number][],
): RatioRow[] {
  return rows.map(([name, title, theirs, atLeast]) => ({
    kind: "ratio",
    name,
    title,
    measure,
    ours: "cairn",
    theirs,
    figure,
    atLeast,
  }));
}

/** Rows of one measure: name, title, figure, limit and unit. */
function limits(
  measure: string,
  direction: LimitRow["direction"],
  rows: readonly [name: string, title: string, figure: string, limit: number, unit: string][],
): LimitRow[] {
  return rows.map(([name, title, figure, limit, unit]) => ({
    kind: "limit",
    name,
    title,
    measure,
    ours: "cairn",
    figure,
    unit,
    limit,
    direction,
  }));
}

/** All rows, in the order of the table. */
export const ROWS: readonly Row[] = [
  ...beside("bulk", "setPerSecond", [
    ["bulk-lmdb", "bulk set, beside lmdb put", "lmdb", 15],
    ["bulk-lmdb-nosync", "bulk set, beside lmdb with noSync", "lmdb noSync", 4],
    ["bulk-level", "bulk set, beside classic-level batch(1000)", "classic-level", 3],
    ["bulk-sqlite", "bulk set, beside SQLite in transactions", "sqlite", 20],
  ]),
  ...beside("bulk", "getPerSecond", [
    ["get-lmdb", "random get, beside lmdb getBinary", "lmdb", 3],
    ["get-level", "random get, beside classic-level getSync", "classic-level", 7],
    ["get-sqlite", "random get, beside SQLite", "sqlite", 5],
  ]),
  ...beside("durable-one", "setPerSecond", [
    ["durable-one", "durable set, one at a time, beside a bare write + fdatasync", "bare", 0.95],
  ]),
  ...beside("durable-many", "setPerSecond", [
    ["durable-many", "durable set, 64 at once, beside a bare group commit", "bare", 0.85],
    ["durable-many-lmdb", "durable set, 64 at once, beside lmdb", "lmdb", 2.5],
    ["durable-many-level", "durable set, 64 at once, beside classic-level", "classic-level", 30],
  ]),
  ...beside("redis", "durableSetP1PerSecond", [
    ["redis-durable-set-1", "SET durable before the reply, beside Redis, P=1", "redis", 1],
  ]),
  ...beside("redis", "durableSetP16PerSecond", [
    ["redis-durable-set-16", "SET durable before the reply, beside Redis, P=16", "redis", 1],
  ]),
  ...beside("redis", "setP1PerSecond", [
    ["redis-set-1", "SET durable within a second, beside Redis, P=1", "redis", 1],
  ]),
  ...beside("redis", "setP16PerSecond", [
    ["redis-set-16", "SET durable within a second, beside Redis, P=16", "redis", 1],
  ]),
  ...beside("redis", "getP1PerSecond", [
    ["redis-get-1", "GET over TCP, beside Redis, P=1", "redis", 1],
  ]),
  ...beside("redis", "getP16PerSecond", [
    ["redis-get-16", "GET over TCP, beside Redis, P=16", "redis", 1],
  ]),
  ...beside("http", "GETPerSecond", [
    ["http-get", "HTTP GET, 64 connections, beside a bare server", "bare", 0.85],
  ]),
  ...beside("http", "PUTPerSecond", [
    ["http-put", "durable HTTP PUT, 64 connections, beside a bare server", "bare", 0.7],
  ]),
  ...limits("open", "at most", [
    ["open", "open after a clean close, 1 M keys", "openSeconds", 0.1, "s"],
  ]),
  ...limits("open-large", "at most", [
    ["open-large", "open after a clean close, 10 M keys", "openSeconds", 1, "s"],
  ]),
  ...limits("replay", "at least", [
    ["replay", "replay after a crash, 1 M records", "recordsPerSecond", 2_000_000, "records/s"],
  ]),
  ...limits("replay-4k", "at least", [
    ["replay-4k", "replay after a crash, values of 4 KiB", "gigabytesPerSecond", 1, "GB/s"],
  ]),
  ...limits("growth", "at most", [
    ["index-bytes", "index beyond the keys, 10 M keys", "indexBytesPerKey", 48, "bytes a key"],
    ["growth-get", "cost of a get at 10 M keys, beside 100 k", "getCostRatio", 1.5, "x"],
    ["growth-set", "cost of an overwrite at 10 M keys, beside 100 k", "setCostRatio", 1.5, "x"],
    ["growth-insert", "cost of a new key at 10 M keys, beside 100 k", "insertCostRatio", 1.5, "x"],
  ]),
  ...limits("heap", "at most", [
    ["heap", "JavaScript heap at the end of a load, beside its begin", "heapGrowthRatio", 1.1, "x"],
  ]),
  ...limits("pauses", "at most", [
    ["stalls", "longest stall, growing and compacting 10 M keys", "stallLongestMillis", 5, "ms"],
  ]),
  ...limits("compaction", "at most", [
    ["compaction-get", "p99 of get during compaction, beside idle", "getP99Ratio", 2, "x"],
    ["compaction-set", "p99 of durable set during compaction, beside idle", "setP99Ratio", 2, "x"],
  ]),
];
