/**
 * The keys as one command sees them, or all commands of one transaction: what the store has, with
 * what they have changed themselves.
 */

import { isUtf8 } from "node:buffer";
import { RESP_BYTES_TOUCHED_MAX } from "../../../limits.ts";
import type { BatchOp, Entry, KeyInfo } from "../../../mod.ts";
import { latin1 } from "./arguments.ts";
import { RespError, stringTooLong } from "./resp_error.ts";

/** What is known of a key whose value was not asked for. */
export interface KeyState {
  /** Length of the value in bytes. */
  readonly size: number;
  /** When it expires, in milliseconds since the epoch; absent if it does not. */
  readonly expiresAt?: number;
}

/** What is stored under a key. */
export interface KeyValue {
  /** The value; not to be changed. */
  readonly value: Uint8Array;
  /** When it expires, in milliseconds since the epoch; absent if it does not. */
  readonly expiresAt?: number;
}

/** Where a keyspace reads. */
export interface KeyspaceSource {
  /** A key's value. */
  read(key: Uint8Array): KeyValue | undefined;
  /** A key's state, where that is to be had without its value. */
  look?(key: Uint8Array): KeyInfo | undefined;
}

/** What the store accepts. */
export interface KeyspaceLimits {
  /** Longest key, in bytes. */
  readonly keyBytesMax: number;
  /** Longest value, in bytes. */
  readonly valueBytesMax: number;
}

interface Change {
  readonly key: Uint8Array;
  /** Undefined for a delete. */
  readonly entry: KeyValue | undefined;
}

/** Reads, and keeps changes until they are asked for as the operations of a batch. */
export class Keyspace {
  /** The moment at which it all happens, in milliseconds since the epoch. */
  readonly now: number;
  /** What may be written. */
  readonly limits: KeyspaceLimits;
  readonly #source: KeyspaceSource;
  readonly #changes: Change[] = [];
  /** The changes by key; built when first read after a change. */
  #newest: Map<string, Change> | undefined;
  readonly #bytesMax: number;
  /** Bytes of values that may still be read and written. */
  #bytesLeft: number;

  constructor(source: KeyspaceSource, now: number, limits: KeyspaceLimits) {
    this.#source = source;
    this.now = now;
    this.limits = limits;
    this.#bytesMax = Math.max(RESP_BYTES_TOUCHED_MAX, 4 * limits.valueBytesMax);
    this.#bytesLeft = this.#bytesMax;
  }

  /** Bytes of values that were read and written so far. */
  get bytesTouched(): number {
    return this.#bytesMax - this.#bytesLeft;
  }

  /** What is stored under a key; undefined if there is nothing. */
  get(key: Uint8Array): KeyValue | undefined {
    const change = this.#changeOf(key);
    const entry = change === undefined ? this.#source.read(key) : change.entry;
    if (entry !== undefined) this.#touch(entry.value.length);
    return entry;
  }

  /** A key's state without its value; undefined if it does not exist. */
  look(key: Uint8Array): KeyState | undefined {
    const change = this.#changeOf(key);
    if (change === undefined && this.#source.look !== undefined) return this.#source.look(key);
    const entry = change === undefined ? this.#source.read(key) : change.entry;
    if (entry === undefined) return undefined;
    const size = entry.value.length;
    return entry.expiresAt === undefined ? { size } : { size, expiresAt: entry.expiresAt };
  }

  /** Stores a value; one that has expired already is none. `value` must not change any more. */
  set(key: Uint8Array, value: Uint8Array, expiresAt: number | undefined): void {
    const { keyBytesMax, valueBytesMax } = this.limits;
    checkKey(key, keyBytesMax);
    if (value.length > valueBytesMax) throw stringTooLong(valueBytesMax);
    this.#touch(value.length);
    if (expiresAt !== undefined && expiresAt <= this.now) return this.delete(key);
    this.#change({ key, entry: expiresAt === undefined ? { value } : { value, expiresAt } });
  }

  /** Deletes a key, which need not exist. */
  delete(key: Uint8Array): void {
    checkKey(key, this.limits.keyBytesMax);
    this.#change({ key, entry: undefined });
  }

  /** Does `work`, and takes its changes back if it throws. */
  attempt<Result>(work: () => Result): Result {
    const { length } = this.#changes;
    try {
      return work();
    } catch (error) {
      if (this.#changes.length > length) {
        this.#changes.length = length;
        this.#newest = undefined;
      }
      throw error;
    }
  }

  /** What has changed. */
  operations(): BatchOp[] {
    return this.#changes.map(({ key, entry }) =>
      entry === undefined ? { op: "del", key } : { op: "set", key, ...entry }
    );
  }

  #change(change: Change): void {
    this.#changes.push(change);
    this.#newest?.set(latin1(change.key), change);
  }

  #changeOf(key: Uint8Array): Change | undefined {
    if (this.#changes.length === 0) return undefined;
    this.#newest ??= new Map(this.#changes.map((change) => [latin1(change.key), change]));
    return this.#newest.get(latin1(key));
  }

  #touch(byteLength: number): void {
    this.#bytesLeft -= byteLength;
    if (this.#bytesLeft < 0) {
      throw new RespError(
        "ERR values are too long together for one command or transaction: use several",
      );
    }
  }
}

/** Throws unless these bytes may be a key. */
export function checkKey(key: Uint8Array, keyBytesMax: number): void {
  if (key.length === 0) throw new RespError("ERR key is empty: a key needs at least one byte");
  if (key.length > keyBytesMax) {
    throw new RespError(
      `ERR key is ${key.length} bytes long: at most ${keyBytesMax} are allowed`,
    );
  }
  if (!isUtf8(key)) {
    throw new RespError(
      "ERR key is not valid UTF-8: encode binary keys as text, for example as hexadecimal",
    );
  }
}

/** What reads the store as readers see it, which is what is durable by its policy. */
export function durableSource(store: {
  getEntrySync(key: Uint8Array): Entry | undefined;
  stat(key: Uint8Array): KeyInfo | undefined;
}): KeyspaceSource {
  return { read: (key) => store.getEntrySync(key), look: (key) => store.stat(key) };
}
