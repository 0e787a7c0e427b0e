/** Scans of a reader: all keys in a range as they are found, put in order, and read one by one. */

import { Buffer } from "node:buffer";
import type { Clock } from "../clock.ts";
import type { IndexViews } from "../index/index_reader.ts";
import { IndexWalk } from "../index/index_walk.ts";
import { Slices } from "../store/pause.ts";
import type { checkScanOptions } from "../store/scan.ts";
import type { Entry } from "../store/types.ts";

const SLICE_MS = 2;
const CELLS_BETWEEN_CLOCK_READINGS = 64;

type Range = ReturnType<typeof checkScanOptions>["range"];

/** What a scan works with. */
export interface ReaderScanContext {
  views: IndexViews;
  clock: Clock;
  assertAttached: () => void;
  /** The entry of a key, without its value if not asked for; undefined if it does not exist now. */
  entryOf: (key: Uint8Array) => Entry | undefined;
}

/** Yields the entries of a range in order, at most `limit`. */
export async function* scanReader(
  context: ReaderScanContext,
  range: Range,
  limit: number,
): AsyncGenerator<Entry> {
  const slices = new Slices(context.clock, SLICE_MS);
  const keys: Uint8Array[] = [];
  let count = 0;
  context.assertAttached();
  for (const cell of new IndexWalk(context.views).cells()) {
    for (const key of cell) if (isIn(range, key)) keys.push(key);
    if (++count % CELLS_BETWEEN_CLOCK_READINGS === 0 && slices.over) {
      await slices.pause();
      context.assertAttached();
    }
  }
  keys.sort(Buffer.compare);
  if (range.reverse) keys.reverse();
  let remaining = limit;
  for (const key of keys) {
    if (remaining === 0) return;
    const entry = context.entryOf(key);
    if (entry !== undefined) {
      yield entry;
      remaining--;
    }
    if (slices.over) await slices.pause();
  }
}

function isIn({ lower, upper }: Range, key: Uint8Array): boolean {
  return (lower === undefined || Buffer.compare(key, lower) >= 0) &&
    (upper === undefined || Buffer.compare(key, upper) < 0);
}
