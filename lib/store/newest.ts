/** The newest entry of a key as conditions see it: writes in flight included. */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { decodeKey, encodeKey } from "../format/key.ts";
import type { GroupCommit, PendingWrite } from "./group_commit.ts";
import { isGone, type Keydir } from "./keydir.ts";
import type { RecordSource } from "./record_source.ts";
import { makeEntry } from "./scan.ts";
import type { BatchOp, Entry, KeyInput } from "./types.ts";

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
  change: (newest: (key: KeyInput) => Entry | undefined) => BatchOp[],
): BatchOp[] {
  let isOver = false;
  try {
    return change((key) => {
      if (isOver) {
        throw new KvError(
          "InvalidArgument",
          "The change of an update has returned: read within it, or with get",
        );
      }
      return newestEntry(context, key);
    });
  } finally {
    isOver = true;
  }
}

function newestEntry(context: NewestContext, key: KeyInput): Entry | undefined {
  const { keydir, source, commit, clock, keyScratch: bytes } = context;
  const length = encodeKey(key, bytes, 0, context.keyBytesMax);
  const hash = keydir.index.hash(bytes, 0, length);
  const pending = commit?.find(hash, bytes, 0, length);
  if (pending !== undefined) {
    if (pending.isDelete || isGone(pending.expiresAt, clock)) return undefined;
    return entryInFlight(textOf(key), pending, source);
  }
  const address = keydir.index.find(hash, bytes, 0, length);
  if (address === 0 || keydir.isExpired(address, clock)) return undefined;
  return makeEntry(keydir, address, textOf(key), source.read(address));
}

function entryInFlight(key: string, write: PendingWrite, source: RecordSource): Entry {
  const { lsn: version, expiresAt } = write;
  const value = source.readInFlight(write);
  return expiresAt === 0 ? { key, value, version } : { key, value, version, expiresAt };
}

function textOf(key: KeyInput): string {
  return typeof key === "string" ? key : decodeKey(key);
}
