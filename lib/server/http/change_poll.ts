/** Changes by long poll: those there are, or else the first one that comes while somebody waits. */

import { Buffer } from "node:buffer";
import type { Clock } from "../../clock.ts";
import type { ChangesOptions } from "../../mod.ts";
import { withoutLongValue, writeChange } from "./change_format.ts";
import type { StoreApi } from "./store_api.ts";

/** Changes in one answer. */
export const POLLED_CHANGES_MAX = 1000;
/** An answer ends before its changes become longer than this, in bytes; unless it is a single one. */
export const POLLED_BYTES_MAX = 1 << 20;
/** Looking for changes with a prefix goes on for so long, in milliseconds, even with `wait=0`. */
const SEARCH_MS_MAX = 5000;

/** A poll. */
export interface ChangePoll {
  store: StoreApi;
  clock: Clock;
  /** What to look for: from a version on. */
  options: ChangesOptions & { since: number };
  waitMs: number;
  /** End it from outside: nobody waits any more, or the service stops. */
  signals: readonly AbortSignal[];
}

/** The answer, as JSON. Throws what `KvStore.changes` throws. */
export async function pollChanges({ store, clock, options, waitMs, signals }: ChangePoll) {
  const end = new AbortController();
  const stop = () => end.abort();
  const isOver = () => end.signal.aborted;
  let isWaitOver = waitMs === 0;
  const timers = [
    clock.schedule(waitMs, () => {
      isWaitOver = true;
      // Only who waits is woken: one who still searches may yet find something.
      if (alarm !== undefined) stop();
    }, true),
    clock.schedule(Math.max(waitMs, SEARCH_MS_MAX), stop, true),
  ];
  for (const signal of signals) {
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  }
  let alarm: AsyncIterator<unknown> | undefined;
  let { since } = options;
  try {
    for (;;) {
      const found = await collect(store, { ...options, since, signal: end.signal });
      if (found.written.length > 0 || isWaitOver || isOver()) return answerOf(found);
      since = found.version;
      const feed = store.changes({ ...options, since, values: false, signal: end.signal });
      alarm = feed;
      const { done } = await feed.next();
      alarm = undefined;
      // It has passed over what does not have the prefix; a change it has come to is still to come.
      if (done) return answerOf({ written: [], version: Math.max(since, feed.version) });
      await feed.return();
    }
  } finally {
    for (const timer of timers) timer.cancel();
    for (const signal of signals) signal.removeEventListener("abort", stop);
  }
}

interface Found {
  written: string[];
  /** Up to where there is nothing else. */
  version: number;
}

/** What there is now. */
async function collect(store: StoreApi, options: ChangesOptions): Promise<Found> {
  const feed = store.changes({ ...options, live: false });
  const written: string[] = [];
  let byteLength = 0;
  let { version } = feed;
  try {
    for (;;) {
      const { done, value } = await feed.next();
      if (done) return { written, version: feed.version };
      const json = writeChange(withoutLongValue(value));
      byteLength += Buffer.byteLength(json) + 1;
      if (written.length > 0 && byteLength > POLLED_BYTES_MAX) return { written, version };
      written.push(json);
      version = value.version;
      if (written.length === POLLED_CHANGES_MAX) return { written, version };
    }
  } finally {
    await feed.return();
  }
}

function answerOf({ written, version }: Found): string {
  return `{"changes":[${written.join(",")}],"version":${version}}\n`;
}
