/**
 * What writers asked of a store and what they were told, key by key. Each key has one writer, which
 * waits for an answer before it asks again; so after a crash a key holds what was acknowledged last,
 * or something that was asked for after that.
 */

import assert from "node:assert/strict";

/** A value, or none. Values should be unique, so that one tells when it was written. */
export type Value = string | undefined;

interface KeyLog {
  /** What the key may hold, oldest first: acknowledged, then asked for. */
  values: Value[];
  acknowledgedIndex: number;
}

/** One request. */
export interface Request {
  key: string;
  index: number;
}

/** The requests of all writers. */
export class WriteLog {
  /** Writes acknowledged so far. */
  acknowledgedCount = 0;
  /** Requests that got no answer before a crash, and took effect nevertheless. */
  unansweredCount = 0;
  #keys = new Map<string, KeyLog>();

  /** Takes note of a request before it is made. */
  issue(key: string, value: Value): Request {
    const log = this.#logOf(key);
    log.values.push(value);
    return { key, index: log.values.length - 1 };
  }

  /** The request was acknowledged: from now on it must not be lost. */
  acknowledge({ key, index }: Request): void {
    this.acknowledgedCount++;
    const log = this.#logOf(key);
    log.acknowledgedIndex = Math.max(log.acknowledgedIndex, index);
  }

  /** What the key holds if every request takes effect. */
  newest(key: string): Value {
    return this.#keys.get(key)?.values.at(-1);
  }

  /** Holds all that is in a store against the log, which goes on from there. */
  check(found: ReadonlyMap<string, string>): void {
    const indexes = this.compare(found);
    for (const [key, log] of this.#keys) {
      if (indexes.get(key)! > log.acknowledgedIndex) this.unansweredCount++;
      log.values = [found.get(key)];
      log.acknowledgedIndex = 0;
    }
  }

  /** As {@link check}, of a store that is still at work. Returns which value of each key it holds. */
  compare(found: ReadonlyMap<string, string>): Map<string, number> {
    const indexes = new Map<string, number>();
    for (const [key, value] of found) {
      assert(this.#keys.has(key), `${key} was never written, and holds ${show(value)}`);
    }
    for (const [key, { values, acknowledgedIndex }] of this.#keys) {
      const value = found.get(key);
      const index = values.indexOf(value, acknowledgedIndex);
      if (index < 0) {
        const told = `${show(values[acknowledgedIndex])} was acknowledged`;
        const isOld = values.includes(value);
        assert.fail(
          `${key} holds ${show(value)}, which ${isOld ? "is older" : "nobody wrote"}: ${told}`,
        );
      }
      indexes.set(key, index);
    }
    return indexes;
  }

  #logOf(key: string): KeyLog {
    let log = this.#keys.get(key);
    if (log === undefined) {
      log = { values: [undefined], acknowledgedIndex: 0 };
      this.#keys.set(key, log);
    }
    return log;
  }
}

function show(value: Value): string {
  return value === undefined ? "nothing" : `"${value.slice(0, 40)}"`;
}
