/** What clients do: seeded random operations on a few keys, which many of them fight over. */

import type { SeededRandom } from "../support/seeded_random.ts";
import type { HistoryRecorder } from "./history_recorder.ts";
import {
  type Action,
  type BatchChange,
  type Condition,
  keysOf,
  type Result,
  valuesTold,
} from "./operation.ts";

/** Keys that batches may tie together stand in one group. */
const KEY_GROUPS = [["a1", "a2", "a3"], ["b1", "b2"], ["c"], ["d"], ["e"], ["f"]];

/** All keys there are. */
const KEYS: readonly string[] = KEY_GROUPS.flat();

/** What the clients of a run have in common. */
export interface Workload {
  recorder: HistoryRecorder;
  random: SeededRandom;
  /** Values written so far. */
  values: { count: number };
  /** What the interface under test has beyond single writes: batches and updates, or ifPresent. */
  special: "library" | "ifPresent";
}

/** One client. It knows the versions it was told, and makes its writes conditional on them. */
export class Client {
  readonly #id: number;
  readonly #workload: Workload;
  readonly #versions = new Map<string, number>();

  constructor(id: number, workload: Workload) {
    this.#id = id;
    this.#workload = workload;
  }

  /** Does one operation. Returns undefined if its outcome is unknown. */
  async act(
    perform: (action: Action) => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    const action = this.#next();
    const result = await this.#workload.recorder.record(this.#id, action, perform);
    if (result !== undefined) this.#learn(action, result);
    return result;
  }

  /** Reads every key once: what a crash left is seen before it is overwritten. */
  async readAll(perform: (action: Action) => Promise<Result | undefined>): Promise<void> {
    for (const key of KEYS) {
      const action: Action = { kind: "get", key };
      const result = await this.#workload.recorder.record(this.#id, action, perform);
      if (result !== undefined) this.#learn(action, result);
    }
  }

  #next(): Action {
    const { random, special } = this.#workload;
    const group = random.pick(KEY_GROUPS);
    const key = random.pick(group);
    const version = this.#versions.get(key);
    const condition: Condition = version === undefined || random.chance(0.3)
      ? { ifAbsent: true }
      : { ifVersion: version };
    const choice = random.below(20);
    if (choice < 7) return { kind: "get", key };
    if (choice < 10) return { kind: "set", key, value: this.#newValue() };
    if (choice < 14) return { kind: "set", key, value: this.#newValue(), condition };
    if (choice < 16) return { kind: "delete", key };
    if (choice < 17) {
      return "ifVersion" in condition
        ? { kind: "delete", key, condition }
        : { kind: "delete", key };
    }
    if (special === "library") return random.chance(0.5) ? this.#batch(group) : this.#update(group);
    const present: Condition = { ifPresent: true };
    return random.chance(0.5)
      ? { kind: "set", key, value: this.#newValue(), condition: present }
      : { kind: "delete", key, condition: present };
  }

  /** Reads some keys of a group and changes some, the same or others, or none at all. */
  #update(group: readonly string[]): Action {
    const { random } = this.#workload;
    const reads = group.filter(() => random.chance(0.7));
    const changes = this.#changes(group.filter(() => random.chance(0.6)));
    return { kind: "update", reads: reads.length === 0 ? [group[0]!] : reads, changes };
  }

  #changes(keys: readonly string[]): BatchChange[] {
    const { random } = this.#workload;
    return keys.map((key) => ({
      key,
      value: random.chance(0.25) ? undefined : this.#newValue(),
    }));
  }

  #batch(group: readonly string[]): Action {
    const { random } = this.#workload;
    const changes = this.#changes(group);
    const checked = random.pick(group);
    const checks = random.chance(0.5)
      ? [{ key: checked, version: this.#versions.get(checked) ?? null }]
      : [];
    // Without changes, it asks whether a check holds.
    if (checks.length > 0 && random.chance(0.2)) return { kind: "batch", changes: [], checks };
    return { kind: "batch", changes, checks };
  }

  #newValue(): string {
    return `v${++this.#workload.values.count}`;
  }

  #learn(action: Action, result: Result): void {
    if (action.kind === "batch" || action.kind === "update") {
      for (const { key, version } of valuesTold(result)) {
        if (version === undefined) this.#versions.delete(key);
        else this.#versions.set(key, version);
      }
      if (result.kind !== "done" || result.version === undefined) return;
      const first = result.version - action.changes.length + 1;
      action.changes.forEach(({ key }, index) => this.#versions.set(key, first + index));
      return;
    }
    const [key] = keysOf(action) as [string];
    if (result.kind === "missing") this.#versions.delete(key);
    if (!("version" in result) || result.version === undefined) return;
    if (action.kind === "delete") this.#versions.delete(key);
    else this.#versions.set(key, result.version);
  }
}

const LENGTH_STEP = 7919;
const LENGTH_MAX = 320;

/** What is stored for a value: of some length, and such that any byte of it can be checked. */
export function toBytes(value: string): Uint8Array<ArrayBuffer> {
  const length = value.length + 1 + (Number(value.slice(1)) * LENGTH_STEP) % LENGTH_MAX;
  return new TextEncoder().encode(`${value}.`.repeat(LENGTH_MAX).slice(0, length));
}

/** The value that bytes stand for; if they are damaged, something that was never written. */
export function fromBytes(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  const value = text.slice(0, text.indexOf("."));
  const expected = new TextDecoder().decode(toBytes(value));
  return text === expected ? value : `damaged ${JSON.stringify(text)}`;
}
