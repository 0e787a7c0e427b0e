/** Scans: entries in byte order of the key, a page at a time. */

import { Buffer } from "node:buffer";
import type { Clock } from "../clock.ts";
import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import { decodeKeyAt, encodeKey, keyRoom } from "../format/key.ts";
import { KEY_BYTES_LIMIT } from "../limits.ts";
import { assertKnownOptions, assertOptionsObject, showValue } from "./options.ts";
import type { Keydir } from "./keydir.ts";
import { PagedIterator } from "./paged_iterator.ts";
import { Slices } from "./pause.ts";
import type { RecordSource } from "./record_source.ts";
import type { Entry, KeyInput, ScanOptions } from "./types.ts";

const PAGE_ENTRIES = 256;
/** A page ends early once its values are this long together. */
const PAGE_BYTES = 1 << 20;
const SLICE_MS = 0.5;
/** Taking so many records into the order is a tenth of a millisecond or two. */
const BUILD_RECORDS = 64;
const NO_BYTES = new Uint8Array(0);
const keyScratch = Buffer.alloc(KEY_BYTES_LIMIT);

/** Where a scan goes, as bytes. */
interface Range {
  lower: Uint8Array | undefined;
  lowerInclusive: boolean;
  upper: Uint8Array | undefined;
  reverse: boolean;
}

/** What a scan works with. */
export interface ScanContext {
  keydir: Keydir;
  source: RecordSource;
  clock: Clock;
  assertOpen: () => void;
}

/** Checks the options of a scan; throws `InvalidArgument` or `InvalidKey`. */
export function checkScanOptions(options: ScanOptions): { range: Range; limit: number } {
  assertOptionsObject(options);
  assertKnownOptions(options, ["prefix", "start", "end", "limit", "reverse", "values"]);
  const { limit = Infinity, reverse = false, values = true } = options;
  for (const [name, value] of [["reverse", reverse], ["values", values]] as const) {
    if (typeof value !== "boolean") {
      throw new KvError(
        "InvalidArgument",
        `Option ${name} is ${showValue(value)}: it must be true or false`,
      );
    }
  }
  if (limit !== Infinity && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new KvError(
      "InvalidArgument",
      `Option limit is ${showValue(limit)}: it must be an integer of 0 or more`,
    );
  }
  const prefix = toBound(options.prefix);
  const start = toBound(options.start);
  const end = toBound(options.end);
  const afterPrefix = prefix === undefined ? undefined : successorOfPrefix(prefix);
  return {
    range: {
      lower: later(prefix, start),
      lowerInclusive: true,
      upper: earlier(afterPrefix, end),
      reverse,
    },
    limit,
  };
}

/**
 * Goes through entries in order. Keys that exist throughout are seen exactly once; those that come
 * or go meanwhile may be seen or not.
 */
export function scan(
  context: ScanContext,
  range: Range,
  limit: number,
  values: boolean,
): AsyncIterableIterator<Entry> {
  const { keydir, clock } = context;
  let remaining = limit;
  let slices: Slices | undefined;
  let addresses: Uint32Array | undefined;
  return new PagedIterator(async () => {
    while (remaining > 0) {
      if (slices === undefined) slices = new Slices(clock, SLICE_MS);
      else if (slices.over) await slices.pause();
      context.assertOpen();
      while (!keydir.index.orderReady && !keydir.index.buildOrder(BUILD_RECORDS)) {
        if (slices.over) await slices.pause();
        context.assertOpen();
      }
      const pageLimit = Math.min(PAGE_ENTRIES, remaining);
      addresses ??= new Uint32Array(pageLimit);
      const count = keydir.index.collect(toIndexRange(range), pageLimit, addresses);
      const page = readPage(context, addresses.subarray(0, count), values);
      // Continue behind the last key that was looked at, whether or not it was handed out.
      range = behind(range, page.lastKey);
      const isLast = count < pageLimit && page.lookedAt === count;
      remaining = isLast ? 0 : remaining - page.entries.length;
      if (page.entries.length > 0) return page.entries;
    }
    return undefined;
  });
}

function readPage({ keydir, source, clock }: ScanContext, addresses: Uint32Array, values: boolean) {
  const entries: Entry[] = [];
  let valueBytes = 0;
  let lookedAt = 0;
  while (lookedAt < addresses.length && valueBytes < PAGE_BYTES) {
    const address = addresses[lookedAt++]!;
    if (keydir.isExpired(address, clock)) continue;
    const value = values ? source.read(address) : NO_BYTES;
    const entry = makeEntry(keydir, address, keyText(keydir, address), value);
    if (!values) entry.size = source.valueLength(address);
    entries.push(entry);
    valueBytes += value.length;
  }
  const lastKey = lookedAt === 0 ? undefined : keyBytesAt(keydir, addresses[lookedAt - 1]!);
  return { entries, lastKey, lookedAt };
}

/** The bytes of the key at `address`, a copy. */
function keyBytesAt({ index }: Keydir, address: number): Uint8Array {
  const bytes = new Uint8Array(index.keyLength(address));
  index.copyKey(address, bytes, 0);
  return bytes;
}

/** The key as text. Only text is ever written; but a log may have been, by something else. */
export function keyText({ index, segments }: Keydir, address: number): string {
  const length = index.copyKey(address, keyScratch, 0);
  try {
    return decodeKeyAt(keyScratch, length);
  } catch {
    const { file, fileId } = segments.get(index.fileId(address));
    const offset = index.offset(address);
    throw new KvError(
      "CorruptLog",
      `The record at offset ${offset} of ${file.path} has a key that is no text; ${DAMAGE_ADVICE}`,
      { path: file.path, fileId, offset },
    );
  }
}

/** Puts together what callers see of the record at `address`. */
export function makeEntry(
  keydir: Keydir,
  address: number,
  key: string,
  value: Uint8Array,
): Entry {
  const expiresAt = keydir.index.expiresAt(address);
  const version = keydir.index.lsn(address);
  return expiresAt === 0 ? { key, value, version } : { key, value, version, expiresAt };
}

function toIndexRange({ lower, upper, lowerInclusive, reverse }: Range) {
  return {
    ...(lower === undefined ? {} : { lower }),
    ...(upper === undefined ? {} : { upper }),
    lowerInclusive,
    reverse,
  };
}

function behind(range: Range, lastKey: Uint8Array | undefined): Range {
  if (lastKey === undefined) return range;
  return range.reverse
    ? { ...range, upper: lastKey }
    : { ...range, lower: lastKey, lowerInclusive: false };
}

/** The bytes of a bound. They may be any, and none: they need not be a key. */
export function toBound(bound: KeyInput | undefined): Uint8Array | undefined {
  if (bound === undefined) return undefined;
  if (typeof bound !== "string" && !(bound instanceof Uint8Array)) {
    throw new KvError(
      "InvalidArgument",
      `A bound is ${showValue(bound)}: prefix, start and end must be strings or Uint8Arrays`,
    );
  }
  if (bound.length === 0) return NO_BYTES;
  // Not slice(): that of a Buffer would go on sharing the memory of the caller.
  if (typeof bound !== "string") return new Uint8Array(bound);
  const bytes = new Uint8Array(keyRoom(bound, KEY_BYTES_LIMIT));
  return bytes.slice(0, encodeKey(bound, bytes, 0, KEY_BYTES_LIMIT));
}

/** The smallest byte string above all that begin with `prefix`; undefined if there is none. */
function successorOfPrefix(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const successor = prefix.slice(0, length);
  successor[length - 1]!++;
  return successor;
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    if (left[index] !== right[index]) return left[index]! - right[index]!;
  }
  return left.length - right.length;
}

function later(left: Uint8Array | undefined, right: Uint8Array | undefined) {
  if (left === undefined || right === undefined) return left ?? right;
  return compareBytes(left, right) >= 0 ? left : right;
}

function earlier(left: Uint8Array | undefined, right: Uint8Array | undefined) {
  if (left === undefined || right === undefined) return left ?? right;
  return compareBytes(left, right) <= 0 ? left : right;
}
