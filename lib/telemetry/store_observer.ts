/** What a store tells somebody who watches it: figures for a metrics system, of any kind. */

import type { Logger } from "./logger.ts";

/** One fsync of the log. */
export interface SyncEvent {
  /** Records that became durable by it; a batch counts as many as it has operations. */
  writes: number;
  /** Bytes of the log that became durable by it. */
  bytes: number;
  /** Time taken, in milliseconds. */
  durationMs: number;
}

/** One compaction, begun by hand or by the store itself. */
export interface CompactionEvent {
  /** Whether it came to its end; if not, the store goes on as before and tries again. */
  succeeded: boolean;
  /** Log bytes given back to the file system; 0 if it failed. */
  bytesReclaimed: number;
  /** Time taken, in milliseconds. */
  durationMs: number;
}

/**
 * Watches a store; see the option `observer` of `KvStore.open`. Its methods are called in the midst
 * of the work, so they should be quick. What they throw goes to the log, and harms nothing.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 *
 * let slowestMs = 0;
 * const observer = {
 *   onSync: ({ durationMs }: { durationMs: number }) => slowestMs = Math.max(slowestMs, durationMs),
 * };
 * await using store = await KvStore.open("./data", { observer });
 * await store.set("greeting", "hello");
 * console.log(slowestMs > 0); // true
 * ```
 */
export interface StoreObserver {
  /** An fsync of the log has succeeded. */
  onSync?(event: SyncEvent): void;
  /** A write or fsync of the log has failed: the store takes no more writes. Called once. */
  onWriteFailure?(error: Error): void;
  /** A compaction is over. */
  onCompaction?(event: CompactionEvent): void;
}

/** Makes an observer of which nothing can go wrong for those who call it. */
export function guardObserver(observer: StoreObserver, logger: Logger): Required<StoreObserver> {
  const guarded = <Event>(name: string, notify: ((event: Event) => void) | undefined) => {
    return (event: Event) => {
      try {
        notify?.call(observer, event);
      } catch (error) {
        logger.warn("The store's observer threw in {name}: {error}", { name, error });
      }
    };
  };
  return {
    onSync: guarded("onSync", observer.onSync),
    onWriteFailure: guarded("onWriteFailure", observer.onWriteFailure),
    onCompaction: guarded("onCompaction", observer.onCompaction),
  };
}
