/** The workloads of `cairn bench`, by the names that db_bench and YCSB have for such. */

import type { BenchKeys } from "./bench_keys.ts";
import type { BenchTarget } from "./bench_target.ts";

/** One operation, the `index`th of a workload. */
export type BenchOperation = (index: number) => Promise<unknown>;

/** A workload. */
export interface Workload {
  name: string;
  /** What it does, for the help. */
  what: string;
  /** Whether all keys must be there before it, or none. */
  needs: "all" | "none";
  /** Whether it uses every key once, and is over then. */
  isOnce: boolean;
  /** Whether it only reads. */
  isReading: boolean;
  /** Its operations. */
  operations(target: BenchTarget, keys: BenchKeys): BenchOperation;
  /** What to do before, if that is something else, so that the code is warm and no key used up. */
  warmUp?(target: BenchTarget, keys: BenchKeys): BenchOperation;
}

/** Entries that one scan reads. */
const SCAN_ENTRIES = 100;
/** One key of so many is hot. */
const HOT_SHARE = 100;

const fillSpare: Workload["warmUp"] = (target, keys) => (index) =>
  target.set(keys.spare(index), keys.value(index));

/** All there are, in the order in which they are run unless told otherwise. */
export const WORKLOADS: readonly Workload[] = [
  {
    name: "fill-seq",
    what: "write every key once, in their order",
    needs: "none",
    isOnce: true,
    isReading: false,
    warmUp: fillSpare,
    operations: (target, keys) => (index) => target.set(keys.at(index), keys.value(index)),
  },
  {
    name: "fill-random",
    what: "write every key once, in random order",
    needs: "none",
    isOnce: true,
    isReading: false,
    warmUp: fillSpare,
    operations(target, keys) {
      const order = keys.shuffled();
      return (index) => target.set(keys.at(order[index]!), keys.value(index));
    },
  },
  {
    name: "overwrite",
    what: "write random keys that are there",
    needs: "all",
    isOnce: false,
    isReading: false,
    operations: (target, keys) => (index) => target.set(keys.any(), keys.value(index)),
  },
  {
    name: "read-random",
    what: "read random keys (YCSB C)",
    needs: "all",
    isOnce: false,
    isReading: true,
    operations: (target, keys) => () => target.get(keys.any()),
  },
  {
    name: "read-missing",
    what: "read keys that are not there",
    needs: "all",
    isOnce: false,
    isReading: true,
    operations: (target, keys) => () => target.get(`${keys.any()}.`),
  },
  {
    name: "read-hot",
    what: "read random keys among one in a hundred",
    needs: "all",
    isOnce: false,
    isReading: true,
    operations(target, keys) {
      const hot = Math.ceil(keys.count / HOT_SHARE);
      return () => target.get(keys.any(hot));
    },
  },
  {
    name: "scan",
    what: `read ${SCAN_ENTRIES} entries in order from a random key on (YCSB E)`,
    needs: "all",
    isOnce: false,
    isReading: true,
    operations: (target, keys) => () => target.scan(keys.prefix, keys.any(), SCAN_ENTRIES),
  },
  mixed("mixed", 50, "YCSB A"),
  mixed("read-mostly", 95, "YCSB B"),
  {
    name: "delete",
    what: "delete every key once, in random order",
    needs: "all",
    isOnce: true,
    isReading: false,
    warmUp: (target, keys) => async (index) => {
      await target.set(keys.spare(index), keys.value(index));
      await target.delete(keys.spare(index));
    },
    operations(target, keys) {
      const order = keys.shuffled();
      return (index) => target.delete(keys.at(order[index]!));
    },
  },
];

function mixed(name: string, readPercent: number, likewise: string): Workload {
  return {
    name,
    what: `${readPercent} reads to ${100 - readPercent} writes, of random keys (${likewise})`,
    needs: "all",
    isOnce: false,
    isReading: false,
    operations: (target, keys) => (index) =>
      keys.random(100) < readPercent
        ? target.get(keys.any())
        : target.set(keys.any(), keys.value(index)),
  };
}
