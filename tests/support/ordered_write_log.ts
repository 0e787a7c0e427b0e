/**
 * What writers asked of a store that may lose the newest writes, and the versions that they were
 * told. After a crash it must hold what its first so many writes had left, none of them missing in
 * between: at least up to what was promised to last. Each key has one writer, which waits for an
 * answer before it asks again.
 */

import assert from "node:assert/strict";

/** What a key holds: a value, or nothing. */
export type Value = string | undefined;

/** What was found in a store. */
export interface FoundStore {
  /** Version of its newest record. */
  version: number;
  entries: ReadonlyMap<string, { value: string; version: number }>;
}

/** One write. */
export interface OrderedWrite {
  key: string;
  value: Value;
  /** As it was answered; 0 until then. */
  version: number;
}

/** The writes of all writers between two crashes. */
export class OrderedWriteLog {
  acknowledgedCount = 0;
  /** Of these, how many were lost, as they were allowed to be. */
  lostCount = 0;
  #promised = 0;
  #newest = 0;
  #base: FoundStore = { version: 0, entries: new Map() };
  #writes: OrderedWrite[] = [];
  #lastOf = new Map<string, OrderedWrite>();

  /** Takes note of a write before it is asked for. */
  issue(key: string, value: Value): OrderedWrite {
    const write = { key, value, version: 0 };
    this.#writes.push(write);
    this.#lastOf.set(key, write);
    return write;
  }

  /** The write was answered, with its version. */
  acknowledge(write: OrderedWrite, version: number): void {
    write.version = version;
    this.acknowledgedCount++;
    this.#newest = Math.max(this.#newest, version);
  }

  /** Version of the newest write that was answered. */
  get newest(): number {
    return this.#newest;
  }

  /** From now on everything up to this version must stay. */
  promise(version: number): void {
    this.#promised = Math.max(this.#promised, version);
  }

  /** What the key holds if every write takes effect. */
  newestOf(key: string): Value {
    const write = this.#lastOf.get(key);
    return write === undefined ? this.#base.entries.get(key)?.value : write.value;
  }

  /** Holds what is left after a crash against the log, which goes on from there. */
  check(found: FoundStore): void {
    const { version } = found;
    assert(
      version >= this.#promised,
      `the store ends at ${version}, and ${this.#promised} was promised to last`,
    );
    const answered = this.#writes.filter((write) => write.version > 0);
    const versions = new Set(answered.map((write) => write.version));
    assert.equal(versions.size, answered.length, "two writes got the same version");
    this.#checkCount(version, versions);
    const keys = new Set([
      ...this.#writes.map(({ key }) => key),
      ...this.#base.entries.keys(),
      ...found.entries.keys(),
    ]);
    for (const key of keys) this.#checkKey(key, found, versions);
    this.lostCount += answered.filter((write) => write.version > version).length;
    this.#base = found;
    this.#writes = [];
    this.#lastOf.clear();
    this.#newest = version;
    this.promise(version);
  }

  /** Every version that is there and was told to nobody belongs to a write without an answer. */
  #checkCount(version: number, versions: ReadonlySet<number>): void {
    const unanswered = this.#writes.filter((write) => write.version === 0).length;
    let untold = 0;
    for (let each = this.#base.version + 1; each <= version; each++) {
      if (!versions.has(each)) untold++;
    }
    assert(untold <= unanswered, `${untold} writes are there that nobody asked for`);
  }

  #checkKey(key: string, { version, entries }: FoundStore, versions: ReadonlySet<number>): void {
    const writes = this.#writes.filter((write) => write.key === key);
    const answered = writes.filter((write) => write.version > 0);
    const newest = answered.findLast((write) => write.version <= version);
    const base = this.#base.entries.get(key);
    const entry = entries.get(key);
    const expected = newest === undefined
      ? base
      : newest.value === undefined
      ? undefined
      : { value: newest.value, version: newest.version };
    if (entry?.value === expected?.value && entry?.version === expected?.version) return;
    // The last write may be there without an answer, if all before it are.
    const last = writes.at(-1);
    const isLast = last?.version === 0 && entry?.value === last.value &&
      answered.every((write) => write.version <= version) &&
      (entry === undefined || !versions.has(entry.version));
    const shown = `${entry?.value.slice(0, 20)} of version ${entry?.version}`;
    const wanted = `${expected?.value.slice(0, 20)} of version ${expected?.version}`;
    assert(isLast, `${key} is ${shown}, not ${wanted}, in a store that ends at ${version}`);
  }
}
