/** The shapes of the public interface: what callers pass in and get back. */

import type { Clock } from "../clock.ts";
import type { FileSystem } from "../fs/file_system.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { StoreObserver } from "../telemetry/store_observer.ts";
import type { RandomSource } from "../random.ts";

/** A key: a string, or its UTF-8 bytes. Strings with lone surrogates and invalid bytes are refused. */
export type KeyInput = string | Uint8Array;

/** A value to store: bytes, or a string that is stored as UTF-8. */
export type ValueInput = Uint8Array | string;

/**
 * When a write counts as done.
 *
 * - `"immediate"`: after the fsync that covers it; it then survives kill -9 and power loss.
 * - `{ bytes, millis }`: at once; an fsync follows after `bytes` bytes or `millis` milliseconds,
 *   whichever comes first. A crash loses at most what was written since, always the newest part.
 */
export type Durability = "immediate" | {
  /** Bytes written after which an fsync starts: 4096 to 2^30. */
  bytes: number;
  /** Milliseconds after the first unsynced write at which an fsync starts: 1 to 3,600,000. */
  millis: number;
};

/** When dead records are reclaimed. */
export interface CompactionOptions {
  /**
   * Compact by itself when the thresholds are passed, and let writes wait a little where they are
   * quicker than that (default true).
   */
  auto?: boolean;
  /** Share of dead bytes above which compaction starts: more than 0, at most 1 (default 0.5). */
  deadRatio?: number;
  /**
   * Total log bytes above which single segments past `deadRatio` are compacted even while the whole
   * is below it: 0 to 2^53 - 1 (default 256 MiB).
   */
  totalBytes?: number;
  /** Compaction never starts by itself for less than this: 0 to 2^53 - 1 (default 1 MiB). */
  deadBytesMin?: number;
  /**
   * Deletes and expired keys stay in the log while they are among this many of the newest versions:
   * whoever follows {@link KvStore.changes} and is at most so far behind can always go on. Each that
   * is kept takes 27 bytes and its key. 0 to 2^48 - 1 (default 0: a delete takes no space once it
   * and what it deleted are compacted away, and who was not there for it starts from a scan).
   */
  retainedVersions?: number;
}

/** Options of {@link KvStore.open}. */
export interface OpenOptions {
  /** When a write counts as done (default `"immediate"`). */
  durability?: Durability;
  /** A segment is closed and a new one begun at this length: 4096 to 2^30 bytes (default 64 MiB). */
  segmentBytesMax?: number;
  /** Longest accepted value in bytes: 1 to 2^30 (default 64 MiB). */
  valueBytesMax?: number;
  /** Longest accepted key in bytes: 1 to 65,536 (default 65,536). */
  keyBytesMax?: number;
  /** When dead records are reclaimed. */
  compaction?: CompactionOptions;
  /** Open as of this moment, even while another process writes, and touch nothing (default false). */
  readOnly?: boolean;
  /**
   * Closing writes the index to a file, so that opening need not build it anew, if opening would
   * otherwise replay more records than this, and more than a sixteenth of the keys. From 0 on;
   * default 50,000.
   */
  checkpointRecordsMin?: number;
  /**
   * Read closed segments through memory maps, where the runtime can (Bun on Linux and macOS), which
   * is twice as fast for short values (default true). A disk that cannot read a mapped file any more, or a file that
   * another program cuts short, then ends the process with SIGBUS instead of an error.
   */
  memoryMap?: boolean;
  /** Receives log entries instead of LogTape's category `cairn`. */
  logger?: Logger;
  /** Is told of fsyncs and compactions, for metrics (default: nobody). */
  observer?: StoreObserver;
  /** The file system to live on (default: the machine's). */
  fileSystem?: FileSystem;
  /** The clock to go by (default: the machine's). */
  clock?: Clock;
  /** Where random bytes come from (default: the runtime's generator). */
  random?: RandomSource;
}

/** Options of {@link KvStore.getEntrySync}. */
export interface ReadOptions {
  /**
   * A value longer than this is left out: the entry then has its length as `size`, and an empty value.
   * 0 or more (default: no value is left out).
   */
  valueBytesMax?: number;
}

/** Options of {@link KvStore.set}. */
export interface SetOptions {
  /** Time to live in milliseconds, a positive integer; afterwards the key is as if deleted. */
  ttl?: number;
  /** Point in time to live until, in milliseconds since the epoch; instead of `ttl`. */
  expiresAt?: number;
  /** Write only if the key does not exist. */
  ifAbsent?: boolean;
  /** Write only if the key's version is this one. */
  ifVersion?: number;
}

/** Options of {@link KvStore.delete}. */
export interface DeleteOptions {
  /** Delete only if the key's version is this one. */
  ifVersion?: number;
}

/** What a write returns. */
export interface WriteResult {
  /**
   * The log sequence number of the record written; of a batch, that of its last operation (the
   * operation `i` of `n` has `version - (n - 1 - i)`).
   */
  version: number;
}

/** What {@link KvStore.set} returns. */
export interface SetResult extends WriteResult {
  /** Whether the key did not exist just before, as of the write's place in the order of all writes. */
  created: boolean;
}

/**
 * What {@link KvStore.update} calls. `newest` gives the newest entry of a key, and `stat` what is to
 * be known of it without its value, which takes no read; both only until it returns.
 */
export type UpdateChange = (
  newest: (key: KeyInput) => Entry | undefined,
  stat: (key: KeyInput) => KeyInfo | undefined,
) => BatchOp[];

/** One operation of a batch. Deleting a key that does not exist is no error here. */
export type BatchOp =
  | { op: "set"; key: KeyInput; value: ValueInput; ttl?: number; expiresAt?: number }
  | { op: "del"; key: KeyInput };

/** A condition of a batch: the key's version must be this one, or with `null` it must not exist. */
export interface BatchCheck {
  /** The key. */
  key: KeyInput;
  /** The version that it must have; `null` if it must not exist. */
  version: number | null;
}

/** Options of {@link KvStore.batch}. */
export interface BatchOptions {
  /** Conditions that must all hold, or nothing is written (`ConditionFailed`). */
  checks?: BatchCheck[];
}

/** A key with what is stored under it. */
export interface Entry {
  /** The key. */
  key: string;
  /** The value, which is the caller's own; empty where a scan with `values: false` left it out. */
  value: Uint8Array;
  /** The log sequence number of the record that wrote it. */
  version: number;
  /** When it expires, in milliseconds since the epoch; absent if it does not. */
  expiresAt?: number;
  /** Length of the value in bytes, where the value itself was left out (`values: false`, `valueBytesMax`). */
  size?: number;
}

/** What {@link KvStore.stat} tells of a key. */
export interface KeyInfo {
  /** The log sequence number of the record that wrote it. */
  version: number;
  /** Length of its value in bytes. */
  size: number;
  /** When it expires, in milliseconds since the epoch; absent if it does not. */
  expiresAt?: number;
}

/** What {@link KvStore.scan} goes through. All bounds compare UTF-8 bytes. */
export interface ScanOptions {
  /** Only keys that begin with this. */
  prefix?: KeyInput;
  /** First key, inclusive. */
  start?: KeyInput;
  /** End, exclusive. */
  end?: KeyInput;
  /** At most this many entries: a non-negative integer. */
  limit?: number;
  /** From the last key to the first. */
  reverse?: boolean;
  /** Whether to read values; without, entries have an empty one and its `size` (default true). */
  values?: boolean;
}

/** What {@link KvStore.changes} follows. */
export interface ChangesOptions {
  /**
   * Only changes with a greater version: 0 (the whole log) up to the version of the store. Default: the
   * version of the store, so that what is written from now on is followed.
   */
  since?: number;
  /** Only keys that begin with this, compared as UTF-8 bytes. */
  prefix?: KeyInput;
  /** Hand out values (default true). Without, changes have none. */
  values?: boolean;
  /**
   * Wait for what is still to be written (default true). Without, and in a store opened with
   * `readOnly`, the feed ends with the newest change that is there when it is opened.
   */
  live?: boolean;
  /** Ends the feed when it is aborted, as if there were nothing more; no error is thrown. */
  signal?: AbortSignal;
}

/** One change of one key. */
export interface Change {
  /** The log sequence number of the change. */
  version: number;
  /** Whether the key got a value, or was deleted. */
  op: "set" | "del";
  /** The key. */
  key: string;
  /** What was set; absent for deletes, and with `values: false`. */
  value?: Uint8Array;
  /** When it expires or has expired, in milliseconds since the epoch; absent if it does not. */
  expiresAt?: number;
}

/** The changes of a store, in ascending order of their versions. */
export interface ChangeFeed extends AsyncIterableIterator<Change, undefined>, AsyncDisposable {
  /**
   * Version up to which the feed has come. It moves on by changes that are handed out and by those
   * that do not have the prefix, so it is never behind the last change; a new feed with it as
   * `since` continues this one.
   */
  readonly version: number;
  /** Moves to the next change; resolves once there is one, or when the feed ends. */
  next(): Promise<IteratorResult<Change, undefined>>;
  /** Ends the feed, also one that waits in {@link next}. */
  return(): Promise<IteratorResult<Change, undefined>>;
  /** The feed itself: it can be gone through once. */
  [Symbol.asyncIterator](): ChangeFeed;
}

/** What one compaction did. */
export interface CompactionResult {
  /** Segments that were rewritten. */
  segmentsBefore: number;
  /** Segments that hold their live records now. */
  segmentsAfter: number;
  /** Log bytes given back to the file system. */
  bytesReclaimed: number;
  /** Records copied. */
  recordsMoved: number;
  /** Time taken, in milliseconds. */
  durationMs: number;
}

/** Figures about a store. Byte counts of the log are exact: `aliveBytes + deadBytes = totalBytes`. */
export interface StoreStats {
  /** Keys that exist now. */
  keys: number;
  /** Of which those that will expire. */
  expiringKeys: number;
  /** Version of the newest record. */
  version: number;
  /** Version up to which everything is on stable storage. */
  durableVersion: number;
  /** Bytes of all log segments, including what is still buffered. */
  totalBytes: number;
  /** Bytes of records that are the current state of a key. */
  aliveBytes: number;
  /** Everything else: overwritten, deleted and expired records, tombstones, control records. */
  deadBytes: number;
  /** Number of log segments. */
  segments: number;
  /** Memory of the index, keys included, in bytes. */
  indexBytes: number;
  /** Of which the bytes of the keys themselves. */
  indexKeyBytes: number;
  /** Writes accepted but not yet acknowledged. */
  writesInFlight: number;
  /** Number of fsyncs of the log since opening. */
  syncs: number;
  /** Compactions finished since opening. */
  compactions: number;
  /** Whether one is running now. */
  compacting: boolean;
  /** For how long, in milliseconds since opening, writes waited because compaction was behind. */
  backpressureMs: number;
  /** What the last one did, if any. */
  lastCompaction?: CompactionResult;
  /** When that was over, in milliseconds since the epoch. */
  lastCompactionAt?: number;
  /** Identity of this store. */
  nodeId: string;
  /** What opening found. */
  replay: ReplayStats;
}

/** What opening a store found and did. */
export interface ReplayStats {
  /** Log segments read. */
  segments: number;
  /** Of which through their hint files. */
  hints: number;
  /** Keys that came from the checkpoint of the index, in place of the records of older segments. */
  checkpointKeys: number;
  /** Records applied. */
  records: number;
  /** Bytes of log, hints and checkpoint read. */
  bytes: number;
  /** Bytes of a torn tail that were cut off. */
  truncatedBytes: number;
  /** Time taken, in milliseconds. */
  durationMs: number;
}
