/** Snapshots and backups of an open store. None of them outlives it. */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { type CopyOptions, type CopyReport, copyStore } from "../tools/copy_store.ts";
import { checkDestination } from "../tools/new_store.ts";
import { PinnedSnapshot, type StoreSnapshot } from "../tools/store_snapshot.ts";
import type { FileSystem } from "../fs/file_system.ts";
import type { ActiveFile } from "../log/active_file.ts";
import type { Keydir } from "./keydir.ts";
import { assertKnownOptions, assertOptionsObject, showValue } from "./options.ts";
import type { WritePath } from "./write_path.ts";

const TASK = "back up to";

/** What snapshots are taken of. */
export interface SnapshotsContext {
  fs: FileSystem;
  clock: Clock;
  /** The store's directory. */
  path: string;
  active: ActiveFile;
  keydir: Keydir;
  /** Undefined in a store that was opened for reading only. */
  write: WritePath | undefined;
  /** LSN of the newest record at opening. */
  lsnOpened: number;
  /** Throws `Closed` once the store is being closed. */
  assertOpen: () => void;
}

/** All snapshots of one store that are open. */
export class Snapshots {
  #context: SnapshotsContext;
  #open = new Set<StoreSnapshot>();
  #backups = new Set<Promise<unknown>>();

  constructor(context: SnapshotsContext) {
    this.#context = context;
  }

  /** Makes durable what was acknowledged, and holds on to the files that hold it. */
  async take(): Promise<StoreSnapshot> {
    const { write, assertOpen } = this.#context;
    await write?.settleAcknowledged();
    assertOpen();
    return this.#takeNow();
  }

  /** Copies the store into a directory. See {@link KvStore.backup}. */
  backup(directory: string, options: CopyOptions): Promise<CopyReport> {
    const backup = this.#backup(directory, options);
    this.#backups.add(backup);
    const forget = () => void this.#backups.delete(backup);
    backup.then(forget, forget);
    return backup;
  }

  /** Closes all snapshots, and waits until backups that run have cleared up. */
  async close(): Promise<void> {
    for (const snapshot of this.#open) snapshot.close();
    await Promise.allSettled(this.#backups);
  }

  async #backup(directory: string, options: CopyOptions): Promise<CopyReport> {
    checkCopyArguments(directory, options);
    const { fs, path } = this.#context;
    checkDestination(fs, path, directory, TASK);
    const { signal } = options;
    const snapshot = await this.take();
    try {
      return await copyStore({
        fs,
        snapshot,
        source: path,
        destination: directory,
        task: TASK,
        signal,
      });
    } finally {
      snapshot.close();
    }
  }

  #takeNow(): StoreSnapshot {
    const { fs, clock, path, active, keydir, write, lsnOpened } = this.#context;
    // Nothing is durable yet of a segment that is just being begun, nor may ever be.
    const isBeginning = write?.writer.closing !== undefined;
    const ordered = keydir.segments.ordered.slice(0, isBeginning ? -1 : undefined);
    const state = active.describe(ordered);
    // One that is open for reading only stands for what it has read.
    if (write === undefined) state.segments.at(-1)!.length = ordered.at(-1)!.length;
    const snapshot: StoreSnapshot = new PinnedSnapshot({
      fs,
      clock,
      path,
      state,
      version: write?.writer.lsnDurable ?? lsnOpened,
      segments: ordered.map((source) => ({ source, hintedLength: source.hintedLength })),
      onClose: () => void this.#open.delete(snapshot),
    });
    this.#open.add(snapshot);
    return snapshot;
  }
}

/** Throws `InvalidArgument` for a path or options that cannot be. */
export function checkCopyArguments(path: string, options: CopyOptions): void {
  if (typeof path !== "string" || path === "") {
    throw invalid(`Path is ${showValue(path)}: pass the path of a directory`);
  }
  assertOptionsObject(options);
  assertKnownOptions(options, ["signal"]);
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw invalid(`Option signal is ${showValue(options.signal)}: it must be an AbortSignal`);
  }
}

function invalid(message: string): KvError {
  return new KvError("InvalidArgument", message);
}
