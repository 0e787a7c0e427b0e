/** A store as a Map: what each operation must return, and what is there afterwards. */

import { Buffer } from "node:buffer";
import type { KvErrorCode } from "../../lib/errors.ts";
import type { BatchCheck, BatchOp, Entry, ScanOptions, SetOptions } from "../../lib/store/types.ts";

/** What a write must come to: a version, of a set whether it created its key, or an error. */
export type Outcome = { version: number; created?: boolean } | { code: KvErrorCode };

/** The model. Time is told to every call, and never goes back. */
export class StoreModel {
  /** Version of the newest record. */
  lsn = 0;
  readonly #entries = new Map<string, Entry>();

  /** The entry of a key, unless its time is over. */
  get(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || isExpired(entry, now) ? undefined : entry;
  }

  /** As `store.set`. */
  set(key: string, value: Uint8Array, options: SetOptions, now: number): Outcome {
    const version = this.get(key, now)?.version ?? null;
    if (options.ifAbsent && version !== null) return { code: "ConditionFailed" };
    if (options.ifVersion !== undefined && options.ifVersion !== version) {
      return { code: "ConditionFailed" };
    }
    return { version: this.#put(key, value, options.ttl, now), created: version === null };
  }

  /** As `store.delete`. */
  delete(key: string, ifVersion: number | undefined, now: number): Outcome {
    const entry = this.get(key, now);
    if (entry === undefined) return { code: "NotFound" };
    if (ifVersion !== undefined && ifVersion !== entry.version) return { code: "ConditionFailed" };
    this.#entries.delete(key);
    return { version: ++this.lsn };
  }

  /** As `store.batch`. */
  batch(ops: readonly BatchOp[], checks: readonly BatchCheck[], now: number): Outcome {
    for (const { key, version } of checks) {
      if ((this.get(key as string, now)?.version ?? null) !== version) {
        return { code: "ConditionFailed" };
      }
    }
    for (const op of ops) {
      if (op.op === "set") this.#put(op.key as string, op.value as Uint8Array, op.ttl, now);
      else {
        this.#entries.delete(op.key as string);
        this.lsn++;
      }
    }
    return { version: this.lsn };
  }

  /** As `store.scan`; without options, everything. */
  scan(options: ScanOptions, now: number): Entry[] {
    const { prefix = "", start = "", end, limit = Infinity, reverse = false } = options;
    const from = Buffer.from(start as string);
    const found = [...this.#entries.values()].filter((entry) => {
      const key = Buffer.from(entry.key);
      return !isExpired(entry, now) && entry.key.startsWith(prefix as string) &&
        Buffer.compare(key, from) >= 0 &&
        (end === undefined || Buffer.compare(key, Buffer.from(end as string)) < 0);
    }).sort((left, right) => Buffer.compare(Buffer.from(left.key), Buffer.from(right.key)));
    if (reverse) found.reverse();
    return found.slice(0, limit);
  }

  #put(key: string, value: Uint8Array, ttl: number | undefined, now: number): number {
    const version = ++this.lsn;
    this.#entries.set(
      key,
      ttl === undefined ? { key, value, version } : { key, value, version, expiresAt: now + ttl },
    );
    return version;
  }
}

function isExpired(entry: Entry, now: number): boolean {
  return entry.expiresAt !== undefined && entry.expiresAt <= now;
}
