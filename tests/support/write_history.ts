/**
 * What was asked of a store, in the order of its log, and what may be found after a crash: the state
 * after some prefix of it, with batches whole, and with everything in it that was promised to last.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { KvError } from "../../lib/errors.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { Change, Entry } from "../../lib/store/types.ts";

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

/**
 * Whether a key exists. Nobody can say once the clock has been past its expiry and was set back:
 * the value may have been removed meanwhile, or still be there.
 */
export type Existence = "yes" | "no" | "maybe";

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
  /** Everything issued, by version, whatever became of it; the first one has version 1. */
  #written: ModelOp[] = [];
  /** State after everything issued. */
  #newest: ModelState = new Map();
  /** The latest time that any clock has shown. */
  #latestMs = 0;

  /** LSN of the last operation issued. */
  get lastLsn(): number {
    return this.#units.at(-1)?.lastLsn ?? this.#baseLsn;
  }

  /** Takes note of what the clock shows; to be called whenever it moves. */
  seeTime(now: number): void {
    this.#latestMs = Math.max(this.#latestMs, now);
  }

  /** Takes note of operations handed to the store; returns the version they must get. */
  issue(ops: readonly ModelOp[]): number {
    const unit = { firstLsn: this.lastLsn + 1, lastLsn: this.lastLsn + ops.length, ops };
    this.#units.push(unit);
    this.#written.push(...ops);
    apply(this.#newest, unit);
    return unit.lastLsn;
  }

  /** Everything up to `lsn` was acknowledged, or found after a crash: from now on it must stay. */
  promise(lsn: number): void {
    this.promisedLsn = Math.max(this.promisedLsn, lsn);
  }

  /** Whether a key exists, everything issued included. */
  exists(key: string, now: number): Existence {
    return this.#existence(this.#newest.get(key), now);
  }

  /** A key's version, everything issued included; 0 if it has none. */
  version(key: string): number {
    return this.#newest.get(key)?.version ?? 0;
  }

  /** Whether a value with this expiry may be gone; 0 stands for none. */
  mayHaveExpired(expiresAt: number): boolean {
    return expiresAt !== 0 && expiresAt <= this.#latestMs;
  }

  /** Holds what was read of a key against what it must be while everything up to `lsn` is visible. */
  checkRead(key: string, found: Entry | undefined, lsn: number, now: number): void {
    this.#checkFound(this.#stateAt(lsn).get(key), key, found, lsn, now);
  }

  /** As {@link checkRead}, of all keys that were ever written, in a store that is at `lsn`. */
  checkView(read: (key: string) => Entry | undefined, lsn: number, now: number): void {
    this.#checkBoundary(lsn);
    const state = this.#stateAt(lsn);
    for (const key of new Set(this.#written.map(({ key }) => key))) {
      this.#checkFound(state.get(key), key, read(key), lsn, now);
    }
  }

  /** Holds a change that a feed handed out after version `after` against what was written. */
  checkChange(change: Change, after: number, visible: number): void {
    const { version, key, op, value, expiresAt = 0 } = change;
    assert(version > after, `version ${version} comes twice, or too late`);
    const written = this.#written[version - 1];
    assert(written !== undefined, `version ${version} was never written`);
    assert.equal(key, written.key, `the key of version ${version}`);
    if (written.op === "set" && op === "del") {
      // What has expired or was deleted may have been compacted to a delete.
      const isOver = this.mayHaveExpired(written.expiresAt) ||
        (written.expiresAt !== 0 && this.#isSuperseded(version, visible));
      assert(isOver, `version ${version} is no delete`);
    } else {
      assert.equal(op, written.op);
      if (written.op === "set") {
        assert.deepEqual(value, written.value, `the value of version ${version}`);
        assert.equal(expiresAt, written.expiresAt);
      }
    }
    this.checkSkipped(after, version, visible);
  }

  /** What a feed leaves out between two versions must be superseded by something visible. */
  checkSkipped(after: number, before: number, visible: number): void {
    for (let version = after + 1; version < before; version++) {
      assert(this.#isSuperseded(version, visible), `version ${version} was left out`);
    }
  }

  /** A feed cannot begin at `since`: there must be deletes or expiries that it would miss. */
  checkCompacted(since: number): void {
    const isPossible = this.#written.slice(since).some((op) =>
      op.op === "del" || op.expiresAt !== 0
    );
    assert(isPossible, `nothing was dropped since version ${since}`);
  }

  #checkFound(
    entry: ModelEntry | undefined,
    key: string,
    found: Entry | undefined,
    lsn: number,
    now: number,
  ): void {
    const existence = this.#existence(entry, now);
    if (existence === "no") return assert.equal(found, undefined, `${key} is gone at ${lsn}`);
    if (existence === "maybe" && found === undefined) return;
    assert(found !== undefined, `${key} is there at ${lsn}`);
    assert.equal(found.version, entry!.version, `${key} while ${lsn} is visible`);
    assert.deepEqual(found.value, entry!.value);
  }

  /** Holds a store that was just opened against the history, which then goes on from there. */
  async check(store: KvStore, now: number): Promise<void> {
    const { version } = store.stats();
    assert(
      version >= this.promisedLsn,
      `the store has everything up to ${version}, but ${this.promisedLsn} was acknowledged`,
    );
    await this.checkCopy(store, version, now);
    this.#base = this.#stateAt(version);
    this.#baseLsn = version;
    this.#units = [];
    this.#written.length = version;
    this.#newest = new Map(this.#base);
    this.promise(version);
  }

  /** Expects a store to hold the state after the record `version`, and nothing else. */
  async checkCopy(store: KvStore, version: number, now: number): Promise<void> {
    assert.equal(store.stats().version, version);
    this.#checkBoundary(version);
    const state = this.#stateAt(version);
    const found = new Map<string, string>();
    for await (const { key, value, version, expiresAt = 0 } of store.scan()) {
      found.set(key, describe(key, value, version, expiresAt));
    }
    assert.equal(store.size, found.size);
    const expected = new Map<string, string>();
    for (const [key, entry] of state) {
      const existence = this.#existence(entry, now);
      if (existence === "no" || (existence === "maybe" && !found.has(key))) continue;
      expected.set(key, describe(key, entry.value, entry.version, entry.expiresAt));
    }
    assert.deepEqual([...found.values()], [...expected.values()].sort());
  }

  /** As {@link checkCopy}, of a store of which some records may be damaged: those alone are missing. */
  async checkReadable(store: KvStore, version: number, now: number): Promise<void> {
    for (const key of this.#stateAt(version).keys()) {
      let found: Entry | undefined;
      try {
        found = await store.getEntry(key);
      } catch (error) {
        if (!(error instanceof KvError && error.code === "CorruptLog")) throw error;
        continue;
      }
      this.checkRead(key, found, version, now);
    }
  }

  #checkBoundary(version: number): void {
    assert(
      version === this.#baseLsn || this.#units.some(({ lastLsn }) => lastLsn === version),
      `the store ends at ${version}, in the midst of a batch, or behind all that was issued`,
    );
  }

  #isSuperseded(version: number, visible: number): boolean {
    const { key } = this.#written[version - 1]!;
    for (let newer = version; newer < visible; newer++) {
      if (this.#written[newer]!.key === key) return true;
    }
    return false;
  }

  #existence(entry: ModelEntry | undefined, now: number): Existence {
    if (entry === undefined) return "no";
    if (entry.expiresAt === 0 || entry.expiresAt > this.#latestMs) return "yes";
    return entry.expiresAt <= now ? "no" : "maybe";
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

/** Sorts as the key does: no key of a run is the beginning of another one. */
function describe(key: string, value: Uint8Array, version: number, expiresAt: number): string {
  return `${key} v${version} until ${expiresAt}: ${Buffer.from(value).toString("latin1")}`;
}
