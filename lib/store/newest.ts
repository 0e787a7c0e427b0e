/** The newest entry of a key as conditions see it: writes in flight included. */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { decodeKey, encodeKey } from "../format/key.ts";
import type { GroupCommit } from "./group_commit.ts";
import type { PendingWrite } from "./write_group.ts";
import { isGone, type Keydir } from "./keydir.ts";
import type { RecordSource } from "./record_source.ts";
import { makeEntry } from "./scan.ts";
import type { BatchOp, Entry, KeyInfo, KeyInput, UpdateChange } from "./types.ts";

/** Where newest entries are found. */
export interface NewestContext {
  keydir: Keydir;
  source: RecordSource;
  /** Has the writes in flight; undefined where there are none. */
  commit: GroupCommit | undefined;
  clock: Clock;
  /** Room for a key as UTF-8. */
  keyScratch: Uint8Array;
  keyBytesMax: number;
}

/**
 * Lets `change` look at newest entries and returns what it wants written. It cannot look any longer
 * once it has returned: what it would see may be lost, and nobody would wait for it.
 */
export function opsOfUpdate(
  context: NewestContext,
  change: UpdateChange,
): BatchOp[] {
  let isOver = false;
  const assertNotOver = () => {
    if (!isOver) return;
    throw new KvError(
      "InvalidArgument",
      "The change of an update has returned: read within it, or with get",
    );
  };
  const newest = (key: KeyInput) => {
    assertNotOver();
    return newestEntry(context, key);
  };
  const stat = (key: KeyInput) => {
    assertNotOver();
    return newestInfo(context, key);
  };
  try {
    return change(newest, stat);
  } finally {
    isOver = true;
  }
}

function newestEntry(context: NewestContext, key: KeyInput): Entry | undefined {
  const { keydir, source } = context;
  const found = findNewest(context, key);
  if (found === undefined) return undefined;
  if (typeof found === "object") return entryInFlight(textOf(key), found, source);
  return makeEntry(keydir, found, textOf(key), source.read(found));
}

/** As {@link newestEntry}, out of memory: no value is read. */
function newestInfo(context: NewestContext, key: KeyInput): KeyInfo | undefined {
  const { keydir: { index }, source } = context;
  const found = findNewest(context, key);
  if (found === undefined) return undefined;
  if (typeof found === "object") {
    return infoOf(found.lsn, source.valueLengthInFlight(found), found.expiresAt);
  }
  return infoOf(index.lsn(found), source.valueLength(found), index.expiresAt(found));
}

/** The newest set of a key: in flight, or the address of its record; undefined if it does not exist. */
function findNewest(context: NewestContext, key: KeyInput): PendingWrite | number | undefined {
  const { keydir, commit, clock, keyScratch: bytes } = context;
  const length = encodeKey(key, bytes, 0, context.keyBytesMax);
  const hash = keydir.index.hash(bytes, 0, length);
  const pending = commit?.find(hash, bytes, 0, length);
  if (pending !== undefined) {
    return pending.isDelete || isGone(pending.expiresAt, clock) ? undefined : pending;
  }
  const address = keydir.index.find(hash, bytes, 0, length);
  return address === 0 || keydir.isExpired(address, clock) ? undefined : address;
}

function infoOf(version: number, size: number, expiresAt: number): KeyInfo {
  return expiresAt === 0 ? { version, size } : { version, size, expiresAt };
}

function entryInFlight(key: string, write: PendingWrite, source: RecordSource): Entry {
  const { lsn: version, expiresAt } = write;
  const value = source.readInFlight(write);
  return expiresAt === 0 ? { key, value, version } : { key, value, version, expiresAt };
}

function textOf(key: KeyInput): string {
  return typeof key === "string" ? key : decodeKey(key);
}
