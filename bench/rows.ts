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

function ratio(
  name: string,
  title: string,
  measure: string,
  figure: string,
  theirs: string,
  atLeast: number,
  ours = "cairn",
): RatioRow {
  return { kind: "ratio", name, title, measure, figure, theirs, atLeast, ours };
}

function limit(
  name: string,
  title: string,
  measure: string,
  figure: string,
  direction: LimitRow["direction"],
  value: number,
  unit: string,
): LimitRow {
  const row = { name, title, measure, figure, direction, limit: value, unit } as const;
  return { kind: "limit", ours: "cairn", ...row };
}

const MILLION = 1_000_000;

/** All rows, in the order of the table. */
export const ROWS: readonly Row[] = [
  ratio("bulk-lmdb", "bulk set, beside lmdb put", "bulk", "setPerSecond", "lmdb", 15),
  ratio(
    "bulk-lmdb-nosync",
    "bulk set, beside lmdb with noSync",
    "bulk",
    "setPerSecond",
    "lmdb noSync",
    4,
  ),
  ratio(
    "bulk-level",
    "bulk set, beside classic-level batch(1000)",
    "bulk",
    "setPerSecond",
    "classic-level",
    3,
  ),
  ratio(
    "bulk-sqlite",
    "bulk set, beside SQLite in transactions",
    "bulk",
    "setPerSecond",
    "sqlite",
    20,
  ),
  ratio("get-lmdb", "random get, beside lmdb getBinary", "bulk", "getPerSecond", "lmdb", 3),
  ratio(
    "get-level",
    "random get, beside classic-level getSync",
    "bulk",
    "getPerSecond",
    "classic-level",
    7,
  ),
  ratio("get-sqlite", "random get, beside SQLite", "bulk", "getPerSecond", "sqlite", 5),
  ratio(
    "durable-one",
    "durable set, one at a time, beside a bare write + fdatasync",
    "durable-one",
    "setPerSecond",
    "bare",
    0.95,
  ),
  ratio(
    "durable-many",
    "durable set, 64 at once, beside a bare group commit",
    "durable-many",
    "setPerSecond",
    "bare",
    0.85,
  ),
  ratio(
    "durable-many-lmdb",
    "durable set, 64 at once, beside lmdb",
    "durable-many",
    "setPerSecond",
    "lmdb",
    2.5,
  ),
  ratio(
    "durable-many-level",
    "durable set, 64 at once, beside classic-level",
    "durable-many",
    "setPerSecond",
    "classic-level",
    30,
  ),
  limit(
    "open",
    "open after a clean close, 1 M keys",
    "open",
    "openSeconds",
    "at most",
    0.1,
    "s",
  ),
  limit(
    "open-large",
    "open after a clean close, 10 M keys",
    "open-large",
    "openSeconds",
    "at most",
    1,
    "s",
  ),
  limit(
    "replay",
    "replay after a crash, values of 100 bytes",
    "replay",
    "recordsPerSecond",
    "at least",
    2 * MILLION,
    "records/s",
  ),
  limit(
    "replay-4k",
    "replay after a crash, values of 4 KiB",
    "replay-4k",
    "gigabytesPerSecond",
    "at least",
    1,
    "GB/s",
  ),
];
