/** Metrics of the engine: what it tells its observer, and what its figures say when asked. */

import type { StoreObserver, StoreStats } from "../../mod.ts";
import {
  BACKGROUND_SECONDS_BOUNDS,
  COUNT_BOUNDS,
  Distribution,
  SECONDS_BOUNDS,
} from "./distribution.ts";
import type { Metric, Sample } from "./metric_set.ts";

/** Keeps what an engine tells, and makes metrics of it. */
export class StoreMetrics {
  /** To be given to `KvStore.open`. */
  readonly observer: Required<StoreObserver>;

  #figures: () => StoreStats | undefined;
  #syncSeconds = new Distribution(SECONDS_BOUNDS);
  #syncWrites = new Distribution(COUNT_BOUNDS);
  #writtenBytes = 0;
  #writeFailures = 0;
  #compactionSeconds = new Distribution(BACKGROUND_SECONDS_BOUNDS);
  #compactions = { ok: 0, error: 0 };
  #reclaimedBytes = 0;

  /** `figures` are those of the store, if there is one that tells any. */
  constructor(figures: () => StoreStats | undefined) {
    this.#figures = figures;
    this.observer = {
      onSync: ({ writes, bytes, durationMs }) => {
        this.#syncSeconds.observe(durationMs / 1000);
        // An fsync may also make nothing but a mark of the log durable.
        if (writes > 0) this.#syncWrites.observe(writes);
        this.#writtenBytes += bytes;
      },
      onWriteFailure: () => {
        this.#writeFailures++;
      },
      onCompaction: ({ succeeded, bytesReclaimed, durationMs }) => {
        this.#compactionSeconds.observe(durationMs / 1000);
        this.#compactions[succeeded ? "ok" : "error"]++;
        this.#reclaimedBytes += bytesReclaimed;
      },
    };
  }

  /** Everything that is known of the engine. */
  metrics(): Metric[] {
    return [...this.#observed(), ...this.#asked()];
  }

  #observed(): Metric[] {
    return [
      {
        name: "cairn_sync_duration_seconds",
        help: "Time that fsyncs of the log took",
        type: "histogram",
        collect: () => [{ distribution: this.#syncSeconds }],
      },
      {
        name: "cairn_group_commit_writes",
        help: "Writes that became durable by the same fsync",
        type: "histogram",
        collect: () => [{ distribution: this.#syncWrites }],
      },
      {
        name: "cairn_log_synced_bytes_total",
        help: "Bytes of the log made durable",
        type: "counter",
        collect: () => [{ value: this.#writtenBytes }],
      },
      {
        name: "cairn_write_failures_total",
        help: "Failed writes or fsyncs of the log, after which the store takes no more writes",
        type: "counter",
        collect: () => [{ value: this.#writeFailures }],
      },
      {
        name: "cairn_compactions_total",
        help: "Compactions that are over, by result",
        type: "counter",
        labelNames: ["result"],
        collect: () => [
          { labels: { result: "ok" }, value: this.#compactions.ok },
          { labels: { result: "error" }, value: this.#compactions.error },
        ],
      },
      {
        name: "cairn_compaction_duration_seconds",
        help: "Time that compactions took, also those that failed",
        type: "histogram",
        collect: () => [{ distribution: this.#compactionSeconds }],
      },
      {
        name: "cairn_compaction_reclaimed_bytes_total",
        help: "Bytes of the log that compaction gave back",
        type: "counter",
        collect: () => [{ value: this.#reclaimedBytes }],
      },
    ];
  }

  #asked(): Metric[] {
    const gauge = (name: string, help: string, read: (figures: StoreStats) => number): Metric => ({
      name,
      help,
      type: "gauge",
      collect: () => this.#sample(read),
    });
    return [
      gauge("cairn_keys", "Keys that exist", ({ keys }) => keys),
      gauge("cairn_log_bytes", "Bytes of all log segments", ({ totalBytes }) => totalBytes),
      gauge(
        "cairn_log_live_bytes",
        "Bytes of records that are the current state of a key",
        ({ aliveBytes }) => aliveBytes,
      ),
      gauge(
        "cairn_log_dead_bytes",
        "Bytes of the log that are no longer needed, or are its own",
        ({ deadBytes }) => deadBytes,
      ),
      gauge("cairn_log_segments", "Log segments", ({ segments }) => segments),
      gauge(
        "cairn_index_bytes",
        "Memory of the index, keys included",
        ({ indexBytes }) => indexBytes,
      ),
      gauge(
        "cairn_index_key_bytes",
        "Of the index, the bytes of the keys themselves",
        ({ indexKeyBytes }) => indexKeyBytes,
      ),
      gauge(
        "cairn_writes_in_flight",
        "Writes that wait for their fsync",
        ({ writesInFlight }) => writesInFlight,
      ),
      gauge("cairn_version", "Version of the newest record", ({ version }) => version),
      gauge(
        "cairn_durable_version",
        "Version up to which everything is on stable storage",
        ({ durableVersion }) => durableVersion,
      ),
      gauge(
        "cairn_compaction_running",
        "1 while a compaction runs, otherwise 0",
        ({ compacting }) => Number(compacting),
      ),
      {
        name: "cairn_backpressure_seconds_total",
        help: "Time during which writes waited because compaction was behind",
        type: "counter",
        collect: () => this.#sample(({ backpressureMs }) => backpressureMs / 1000),
      },
      gauge(
        "cairn_open_duration_seconds",
        "Time that opening the store took to read its log",
        ({ replay }) => replay.durationMs / 1000,
      ),
      gauge(
        "cairn_open_truncated_bytes",
        "Bytes of a torn tail that opening the store cut off",
        ({ replay }) => replay.truncatedBytes,
      ),
    ];
  }

  #sample(read: (figures: StoreStats) => number): Sample[] {
    const figures = this.#figures();
    return figures === undefined ? [] : [{ value: read(figures) }];
  }
}
