/** One benchmark: workload after workload, each on the keys that it needs. */

import type { BenchKeys } from "./bench_keys.ts";
import type { BenchEntry, BenchTarget } from "./bench_target.ts";
import { type LoadOptions, measure, type Measurement } from "./measure.ts";
import type { Workload } from "./workloads.ts";

const LOAD_ENTRIES_MAX = 2000;
const LOAD_BYTES_MAX = 2 << 20;
/** A tenth of the operations, or a fifth of the time, but no longer than this. */
const WARM_UP_MS_MAX = 1000;

/** What is to be run. */
export interface BenchPlan {
  workloads: readonly Workload[];
  /** Operations in flight. */
  clients: number;
  /** Of each workload; undefined if it is the time that counts. */
  ops: number | undefined;
  durationMs: number;
  rate: number | undefined;
}

/** What came of one workload. */
export interface WorkloadResult extends Measurement {
  workload: Workload;
  clients: number;
}

/** Is told how far it is, and stops it. */
export interface BenchObserver {
  /** Something begins: a workload, or loading the keys for it. */
  onBegin(name: string, position: number): void;
  /** `share` of it is done; throws to stop. */
  onTurn(share: number, ops: number): void;
}

/** Runs workloads on a target. Its keys are all below one prefix. */
export class BenchRun {
  /** What was measured so far. */
  readonly results: WorkloadResult[] = [];
  readonly #target: BenchTarget;
  readonly #keys: BenchKeys;
  readonly #plan: BenchPlan;
  readonly #observer: BenchObserver;
  /** Which keys are there. */
  #state: "none" | "some" | "all" = "none";

  /** Does nothing yet. There must be no key with the prefix of `keys`. */
  constructor(target: BenchTarget, keys: BenchKeys, plan: BenchPlan, observer: BenchObserver) {
    this.#target = target;
    this.#keys = keys;
    this.#plan = plan;
    this.#observer = observer;
  }

  /** Does something that may write a key. */
  probe<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#state = "some";
    return action();
  }

  /** Runs everything. */
  async run(): Promise<void> {
    for (const [index, workload] of this.#plan.workloads.entries()) {
      await this.#prepare(workload, index + 1);
      this.#observer.onBegin(workload.name, index + 1);
      this.results.push(await this.#measure(workload));
    }
  }

  /** Removes every key. */
  async clear(check: () => void): Promise<void> {
    if (this.#state === "none") return;
    await this.#target.clear(this.#keys.prefix, check);
    this.#state = "none";
  }

  async #measure(workload: Workload): Promise<WorkloadResult> {
    const { ops, durationMs, rate } = this.#plan;
    const clients = workload.isReading && this.#target.readsAtOnce ? 1 : this.#plan.clients;
    const opsMax = Math.min(ops ?? Infinity, workload.isOnce ? this.#keys.count : Infinity);
    const load = (options: Partial<LoadOptions>): LoadOptions => ({
      clients,
      opsMax,
      durationMs: ops === undefined ? durationMs : Infinity,
      rate,
      onTurn: (done, elapsedMs) => {
        this.#observer.onTurn(
          Math.max(done / opsMax, ops === undefined ? elapsedMs / durationMs : 0),
          done,
        );
      },
      ...options,
    });
    if (!workload.isReading) this.#state = "some";
    const operation = workload.operations(this.#target, this.#keys);
    await measure(
      workload.warmUp?.(this.#target, this.#keys) ?? operation,
      load({
        opsMax: Math.ceil(opsMax / 10),
        durationMs: Math.min(WARM_UP_MS_MAX, durationMs / 5),
        rate: undefined,
        onTurn: () => this.#observer.onTurn(0, 0),
      }),
    );
    const measured = await measure(operation, load({}));
    const isWhole = workload.needs === "all" ? !workload.isOnce : measured.ops === opsMax &&
      opsMax === this.#keys.count;
    this.#state = isWhole ? "all" : "some";
    return { workload, clients, ...measured };
  }

  async #prepare({ needs }: Workload, position: number): Promise<void> {
    if (this.#state === needs) return;
    this.#observer.onBegin("prepare", position);
    const check = () => this.#observer.onTurn(0, 0);
    await this.clear(check);
    if (needs === "none") return;
    this.#state = "some";
    let entries: BenchEntry[] = [];
    let bytes = 0;
    for (let index = 0; index < this.#keys.count; index++) {
      const value = this.#keys.value(index);
      entries.push({ key: this.#keys.at(index), value });
      bytes += value.length;
      const isLast = index === this.#keys.count - 1;
      if (entries.length < LOAD_ENTRIES_MAX && bytes < LOAD_BYTES_MAX && !isLast) continue;
      await this.#target.load(entries);
      this.#observer.onTurn((index + 1) / this.#keys.count, index + 1);
      entries = [];
      bytes = 0;
    }
    this.#state = "all";
  }
}
