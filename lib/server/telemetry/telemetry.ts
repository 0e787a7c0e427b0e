/** Everything that is measured of one store and of the servers in front of it. */

import { type Clock, systemClock } from "../../clock.ts";
import { KvError, type KvStore, type StoreObserver, type StoreStats } from "../../mod.ts";
import type { CountedAccess } from "./counted_access.ts";
import { MetricSet } from "./metric_set.ts";
import { observeStore, type StoreWatch } from "./observed_store.ts";
import { OperationCounts } from "./operation_counts.ts";
import { processMetrics, type ProgramInfo } from "./process_metrics.ts";
import { StoreMetrics } from "./store_metrics.ts";
import { Tracing } from "./tracing.ts";

/** Options of {@link Telemetry}. */
export interface TelemetryOptions {
  /** What the program was made from, for `cairn_build_info` (default: not known, and left out). */
  program?: ProgramInfo;
  /** The clock to go by (default: the machine's). */
  clock?: Clock;
}

/**
 * The metrics and spans of one store and one application; nothing of it is shared with others.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 * import { createApp, Telemetry } from "@cairn/kv/http";
 *
 * const telemetry = new Telemetry();
 * await using store = await KvStore.open("./data", { observer: telemetry.observer });
 * const app = createApp(store, { telemetry });
 * await store.set("greeting", "hello");
 *
 * const metrics = await (await app.request("http://localhost/metrics")).text();
 * console.log(/^cairn_keys .*$/m.exec(metrics)?.[0]); // cairn_keys 1
 * ```
 */
export class Telemetry {
  /**
   * The metrics.
   *
   * @internal
   */
  readonly metrics: MetricSet = new MetricSet();
  /**
   * The spans.
   *
   * @internal
   */
  readonly tracing: Tracing = new Tracing();
  /** The time that everything is measured by. */
  readonly clock: Clock;
  /** For the option `observer` of `KvStore.open`; without it, there are no figures of fsyncs. */
  readonly observer: StoreObserver;

  #watch: StoreWatch = { operations: new OperationCounts(), tracing: this.tracing, open: {} };
  #store: { stats?: () => StoreStats } | undefined;
  #observed: object | undefined;

  /** Begins at zero. */
  constructor({ program, clock = systemClock }: TelemetryOptions = {}) {
    this.clock = clock;
    const ofStore = new StoreMetrics(() => this.#figures());
    this.observer = ofStore.observer;
    this.metrics.add(
      this.#watch.operations.metric(),
      {
        name: "cairn_change_feeds_open",
        help: "Change feeds that somebody follows",
        type: "gauge",
        collect: () => [{ value: this.#watch.open.changes ?? 0 }],
      },
      ...ofStore.metrics(),
      ...processMetrics(clock, program),
    );
  }

  /**
   * What was counted of the store's operations.
   *
   * @internal
   */
  get operations(): OperationCounts {
    return this.#watch.operations;
  }

  /** The store for servers to use instead of `store`: it does the same, and is counted here. */
  observe<Store extends object>(store: Store): Store {
    if (this.#store === store) return this.#observed as Store;
    if (this.#store !== undefined) {
      throw new KvError(
        "InvalidArgument",
        "A Telemetry belongs to one store: create another for another store",
      );
    }
    this.#store = store;
    const observed = observeStore(store, this.#watch);
    this.#observed = observed;
    return observed;
  }

  /**
   * The short way into a store, for a server that counts here what it does there.
   *
   * @internal
   */
  access({ direct }: Pick<KvStore, "direct">): CountedAccess {
    const { get: gets, set: sets } = this.#watch.operations.counts;
    return { direct, gets, sets, tracing: this.tracing };
  }

  /** Undefined if there is no store, or it is closed: the other metrics are worth having even so. */
  #figures(): StoreStats | undefined {
    try {
      return this.#store?.stats?.();
    } catch {
      return undefined;
    }
  }
}
