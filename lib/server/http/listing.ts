/** The entries that a listing goes through, and how each is written. */

import { Buffer } from "node:buffer";
import type { Entry, ScanOptions } from "../../mod.ts";
import { writeValue } from "./json_value.ts";
import { decodeCursor, type ListingBounds } from "./listing_cursor.ts";
import type { StoreApi } from "./store_api.ts";

/** A longer value is left out of listings: as text or base64 it would be longer than a string can be. */
export const LISTED_VALUE_BYTES_MAX = 64 << 20;

/** What is to be listed. */
export interface Listing {
  bounds: ListingBounds;
  /** Where to go on. */
  cursor: string | undefined;
  /** Whether values are wanted. */
  values: boolean;
}

/**
 * Goes through the entries, at most `limit`, without their values: those are read one by one by
 * {@link writeEntry}, so that no more than one is held at a time.
 */
export function scanListing(
  store: StoreApi,
  { bounds, cursor }: Listing,
  limit: number,
): AsyncIterableIterator<Entry> {
  const { prefix, start, end, reverse } = bounds;
  const options: ScanOptions = { reverse, limit, values: false };
  if (prefix !== undefined) options.prefix = prefix;
  if (start !== undefined) options.start = start;
  if (end !== undefined) options.end = end;
  if (cursor !== undefined) goOnBehind(decodeCursor(bounds, cursor), options);
  return store.scan(options);
}

/** Takes up behind a key; never beyond the bounds, wherever a cursor that was made up points to. */
function goOnBehind(key: Uint8Array, options: ScanOptions): void {
  if (options.reverse) {
    options.end = options.end === undefined ? key : least(toBytes(options.end), key);
  } else {
    // The least key that is greater.
    const next = new Uint8Array(key.length + 1);
    next.set(key);
    options.start = options.start === undefined ? next : greatest(toBytes(options.start), next);
  }
}

/** How many bytes {@link writeEntry} will bring into memory. */
export function bytesToRead({ size = 0 }: Entry, values: boolean): number {
  return values && size <= LISTED_VALUE_BYTES_MAX ? size : 0;
}

/** An entry as JSON; undefined if it is gone by now. */
export async function writeEntry(
  store: StoreApi,
  entry: Entry,
  values: boolean,
): Promise<string | undefined> {
  const { key, version, size = 0, expiresAt } = entry;
  if (!values || size > LISTED_VALUE_BYTES_MAX) {
    return JSON.stringify({ key, version, size, expiresAt });
  }
  const write = async () => {
    const current = await store.getEntry(key);
    if (current === undefined) return undefined;
    return JSON.stringify({
      key,
      version: current.version,
      size: current.value.length,
      expiresAt: current.expiresAt,
      ...writeValue(current.value),
    });
  };
  return await (size > LONG_VALUE_BYTES ? inTurn(write) : write());
}

/** Of a longer value, several copies are in memory while it becomes JSON: so it is one at a time. */
const LONG_VALUE_BYTES = 1 << 20;
let turn: Promise<unknown> = Promise.resolve();

function inTurn<Result>(make: () => Promise<Result>): Promise<Result> {
  const made = turn.then(make);
  turn = made.catch(() => {});
  return made;
}

function toBytes(bound: string | Uint8Array): Uint8Array {
  return typeof bound === "string" ? Buffer.from(bound) : bound;
}

function least(left: Uint8Array, right: Uint8Array): Uint8Array {
  return Buffer.compare(left, right) <= 0 ? left : right;
}

function greatest(left: Uint8Array, right: Uint8Array): Uint8Array {
  return Buffer.compare(left, right) >= 0 ? left : right;
}
