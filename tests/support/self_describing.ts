/**
 * Values that say themselves which write they are of, and the ledger by which a reader on another
 * thread knows what it may see of a key at a moment.
 */

import { crc32 } from "node:zlib";
import type { SharedStore } from "../../lib/store/shared_store.ts";

const HEADER_BYTES = 12;

/** What each key's number of its newest write is, in shared memory. */
export interface Ledger {
  /** By key: writes that were begun. */
  begun: SharedArrayBuffer;
  /** By key: writes that were acknowledged. */
  acknowledged: SharedArrayBuffer;
  /** One word: how many further keys were added, and acknowledged. */
  grown: SharedArrayBuffer;
  /** Words: whether to stop, then how many reads each reader has made. */
  state: SharedArrayBuffer;
}

/** What a reader is told to do. */
export interface HammerJob {
  handle: SharedStore;
  ledger: Ledger;
  keys: number;
  /** Number of the reader, from 1 on. */
  reader: number;
}

/** Makes a ledger for so many keys and readers. */
export function makeLedger(keys: number, readers: number): Ledger {
  return {
    begun: new SharedArrayBuffer(keys * 4),
    acknowledged: new SharedArrayBuffer(keys * 4),
    grown: new SharedArrayBuffer(4),
    state: new SharedArrayBuffer((1 + readers) * 4),
  };
}

/** The name of a key. */
export function keyOf(key: number | ""): string {
  return `key:${key}`;
}

/** The name of a further key, which is its value, too. */
export function growthKeyOf(number: number): string {
  return `growth:${number}`;
}

/** What the write `number` of a key is: they take turns. */
export function kindOf(number: number): "delete" | "expiring" | "set" {
  return number % 4 === 0 ? "delete" : number % 8 === 5 ? "expiring" : "set";
}

/** Whether a key may be absent if its newest write is one of these. */
export function mayBeAbsent(least: number, most: number): boolean {
  for (let number = least; number <= most; number++) {
    if (number === 0 || kindOf(number) !== "set") return true;
  }
  return false;
}

/** The value of a write: key, number, checksum, and bytes that follow from the number. */
export function describe(key: number, number: number): Uint8Array {
  const length = HEADER_BYTES + (number % 61 === 1 ? 100_000 : (number * 37 + key) % 300);
  const value = new Uint8Array(length).fill(number & 0xff, HEADER_BYTES);
  const view = new DataView(value.buffer);
  view.setUint32(0, key);
  view.setUint32(4, number);
  view.setUint32(8, checksum(value));
  return value;
}

/** The number of the write that a value is of; throws if it is none of this key's, or torn. */
export function recognise(value: Uint8Array, key: number): number {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const number = view.getUint32(4);
  if (view.getUint32(0) !== key) throw new Error(`a value of key ${view.getUint32(0)} for ${key}`);
  if (view.getUint32(8) !== checksum(value)) throw new Error(`key ${key}: a torn value`);
  if (value.length !== describe(key, number).length) throw new Error(`key ${key}: a short value`);
  return number;
}

function checksum(value: Uint8Array): number {
  return crc32(value.subarray(HEADER_BYTES), crc32(value.subarray(0, 8)));
}
