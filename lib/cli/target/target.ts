/**
 * What a data command needs of its target, be that a directory or a running server. The commands
 * know nothing else of either.
 */

import type {
  Change,
  CompactionResult,
  CopyReport,
  Entry,
  ScanOptions,
  SetOptions,
  StoreStats,
  WriteResult,
} from "../../mod.ts";
import type { CopyObserver } from "../transfer/directory_copy.ts";

/** What a command is going to do, and so how a directory has to be opened for it. */
export type Access =
  /** Look, beside whatever process is writing. */
  | "read"
  /** Change what exists. */
  | "change"
  /** Write, and begin a new store if there is none. */
  | "create"
  /** As `create`, for much at once: durable only after {@link Target.flush}. */
  | "load";

/** A store that a command works on. */
export interface Target extends AsyncDisposable {
  /** Where it is, to end a message with: `in ./cairn-data`, `at http://127.0.0.1:8620`. */
  readonly place: string;
  /** Whether others may use it at the same time, and have used it before. */
  readonly isServer: boolean;
  /** A key with its value; undefined if there is none. */
  getEntry(key: string): Promise<Entry | undefined>;
  /** Writes a value. Throws `ConditionFailed` as {@link KvStore.set}. */
  set(key: string, value: Uint8Array | string, options: SetOptions): Promise<WriteResult>;
  /** Deletes a key. Throws `NotFound` if there is none. The version is there if it came through. */
  delete(key: string): Promise<Partial<WriteResult>>;
  /** Goes through keys in order. */
  scan(options: ScanOptions): AsyncIterable<Entry>;
  /** Follows what is written, for ever. */
  follow(options: FollowOptions): AsyncIterable<FollowedChange>;
  /** Figures about the store. */
  stats(): Promise<StoreStats>;
  /** Makes everything durable that was acknowledged. */
  flush(): Promise<void>;
  /** Gives the space of dead records back. */
  compact(): Promise<CompactionResult>;
  /**
   * Copies the store into a directory, which must not exist or be empty. Nothing of it is left if
   * that fails, or is interrupted.
   */
  backup(directory: string, observer: CopyObserver | undefined): Promise<CopyReport>;
  /**
   * Writes several values, no two of the same key, in any order and not as one; returns those that
   * the store does not take, with the reason. What it returns from may be durable only after
   * {@link flush}.
   */
  load(entries: readonly LoadEntry[]): Promise<Refusal[]>;
  /** The store as of one version. A server's is kept in the directory `scratch` meanwhile. */
  freeze(scratch: string, observer: CopyObserver | undefined): Promise<FrozenStore>;
}

/** What is to be followed. */
export interface FollowOptions {
  /** Only what was written after this version; by default what is written from now on. */
  since: number | undefined;
  /** Only keys that begin with this. */
  prefix: string | undefined;
  /** Whether values are wanted. */
  values: boolean;
  /** Ends it. */
  signal?: AbortSignal;
}

/** A change, with the length of its value where that is too long to come along. */
export interface FollowedChange extends Change {
  size?: number;
}

/** A value to be written by {@link Target.load}. */
export interface LoadEntry {
  key: string;
  value: Uint8Array | string;
  /** In milliseconds since the epoch. */
  expiresAt?: number;
}

/** A value that was not written. */
export interface Refusal {
  entry: LoadEntry;
  reason: string;
}

/** A store that no longer changes. */
export interface FrozenStore extends AsyncDisposable {
  /** The version that it is as of. */
  readonly version: number;
  /** Keys in it. */
  readonly keys: number;
  /** Goes through keys in order, with values. */
  scan(options: ScanOptions): AsyncIterable<Entry>;
}
