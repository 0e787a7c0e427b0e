/**
 * What was asked of a store, in the order of its log, and what may be found after a crash: the state
 * after some prefix of it, with batches whole, and with everything in it that was promised to last.
 */

import assert from "node:assert/strict";
import type { KvStore } from "../../lib/store/store.ts";

/** One operation as the model sees it. */
export type ModelOp =
  | { op: "set"; key: string; value: Uint8Array; expiresAt: number }
  | { op: "del"; key: string };

/** A key's state. */
export interface ModelEntry {
  value: Uint8Array;
  version: number;
  expiresAt: number;
}

type ModelState = Map<string, ModelEntry>;

/** Operations that take effect together. */
interface Unit {
  firstLsn: number;
  lastLsn: number;
  ops: readonly ModelOp[];
}

/** The model of one store across crashes. */
export class WriteHistory {
  /** Everything up to here must survive whatever happens. */
  promisedLsn = 0;
  /** State as of `#baseLsn`, which was found by the last check; and what was issued since. */
  #base: ModelState = new Map();
  #baseLsn = 0;
  #units: Unit[] = [];
  /** State after everything issued. */
  #newest: ModelState = new Map();

  /** LSN of the last operation issued. */
  get lastLsn(): number {
    return this.#units.at(-1)?.lastLsn ?? this.#baseLsn;
  }

  /** Takes note of operations handed to the store; returns the version they must get. */
  issue(ops: readonly ModelOp[]): number {
    const unit = { firstLsn: this.lastLsn + 1, lastLsn: this.lastLsn + ops.length, ops };
    this.#units.push(unit);
    apply(this.#newest, unit);
    return unit.lastLsn;
  }

  /** Everything up to `lsn` was acknowledged, or found after a crash: from now on it must stay. */
  promise(lsn: number): void {
    this.promisedLsn = Math.max(this.promisedLsn, lsn);
  }

  /** Whether a key exists, everything issued included. */
  exists(key: string, now: number): boolean {
    return isAlive(this.#newest.get(key), now);
  }

  /** What a key must read as while everything up to `lsn` is visible. */
  read(key: string, lsn: number, now: number): ModelEntry | undefined {
    const entry = this.#stateAt(lsn).get(key);
    return isAlive(entry, now) ? entry : undefined;
  }

  /** Holds a store that was just opened against the history, which then goes on from there. */
  async check(store: KvStore, now: number): Promise<void> {
    const { version } = store.stats();
    assert(
      version >= this.promisedLsn,
      `the store has everything up to ${version}, but ${this.promisedLsn} was acknowledged`,
    );
    assert(
      version === this.#baseLsn || this.#units.some(({ lastLsn }) => lastLsn === version),
      `the store ends at ${version}, in the midst of a batch, or behind all that was issued`,
    );
    const state = this.#stateAt(version);
    await assertHolds(store, state, now);
    this.#base = state;
    this.#baseLsn = version;
    this.#units = [];
    this.#newest = new Map(state);
    this.promise(version);
  }

  #stateAt(lsn: number): ModelState {
    const state = new Map(this.#base);
    for (const unit of this.#units) if (unit.lastLsn <= lsn) apply(state, unit);
    return state;
  }
}

function apply(state: ModelState, { firstLsn, ops }: Unit): void {
  ops.forEach((op, index) => {
    if (op.op === "del") state.delete(op.key);
    else {
      const { value, expiresAt } = op;
      state.set(op.key, { value, version: firstLsn + index, expiresAt });
    }
  });
}

function isAlive(entry: ModelEntry | undefined, now: number): boolean {
  return entry !== undefined && (entry.expiresAt === 0 || entry.expiresAt > now);
}

/** The store holds exactly this: nothing lost, nothing that was never written. */
async function assertHolds(store: KvStore, state: ModelState, now: number): Promise<void> {
  const expected = [...state].filter(([, entry]) => isAlive(entry, now))
    .sort(([left], [right]) => left < right ? -1 : 1)
    .map(([key, { value, version, expiresAt }]) => describe(key, value, version, expiresAt));
  const found: string[] = [];
  for await (const { key, value, version, expiresAt = 0 } of store.scan()) {
    found.push(describe(key, value, version, expiresAt));
  }
  assert.deepEqual(found, expected);
  assert.equal(store.size, expected.length);
}

function describe(key: string, value: Uint8Array, version: number, expiresAt: number): string {
  return `${key} v${version} until ${expiresAt}: ${new TextDecoder("latin1").decode(value)}`;
}
