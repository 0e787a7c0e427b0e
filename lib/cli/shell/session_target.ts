/**
 * The store of a shell, open for as long as the shell is. What takes long can be interrupted: then
 * the command ends, and the shell goes on.
 */

import type {
  CompactionResult,
  CopyReport,
  Entry,
  ScanOptions,
  SetOptions,
  StoreStats,
  WriteResult,
} from "../../mod.ts";
import type { CopyObserver } from "../transfer/directory_copy.ts";
import { InterruptedError, unlessInterrupted, untilInterrupted } from "../interruption.ts";
import type {
  FollowedChange,
  FollowOptions,
  FrozenStore,
  LoadEntry,
  Refusal,
  Target,
} from "../target/target.ts";

/** A target that outlives the commands which work on it. */
export class SessionTarget implements Target {
  readonly place: string;
  readonly isServer: boolean;
  readonly #target: Target;
  readonly #onAbandoned: (what: string) => void;

  /** `onAbandoned` is told what goes on although its command was interrupted. */
  constructor(target: Target, onAbandoned: (what: string) => void) {
    this.#target = target;
    this.#onAbandoned = onAbandoned;
    this.place = target.place;
    this.isServer = target.isServer;
  }

  getEntry(key: string): Promise<Entry | undefined> {
    return unlessInterrupted(this.#target.getEntry(key));
  }

  set(key: string, value: Uint8Array | string, options: SetOptions): Promise<WriteResult> {
    return this.#attempt("the write", this.#target.set(key, value, options));
  }

  delete(key: string): Promise<Partial<WriteResult>> {
    return this.#attempt("the delete", this.#target.delete(key));
  }

  scan(options: ScanOptions): AsyncIterable<Entry> {
    return untilInterrupted(this.#target.scan(options));
  }

  async *follow(options: FollowOptions): AsyncGenerator<FollowedChange, void> {
    const controller = new AbortController();
    try {
      const { signal } = controller;
      yield* untilInterrupted(this.#target.follow({ ...options, signal }));
    } finally {
      controller.abort();
    }
  }

  stats(): Promise<StoreStats> {
    return unlessInterrupted(this.#target.stats());
  }

  flush(): Promise<void> {
    return unlessInterrupted(this.#target.flush());
  }

  compact(): Promise<CompactionResult> {
    return this.#attempt("the compaction", this.#target.compact());
  }

  backup(directory: string, observer: CopyObserver | undefined): Promise<CopyReport> {
    return this.#attempt("the backup", this.#target.backup(directory, observer));
  }

  load(entries: readonly LoadEntry[]): Promise<Refusal[]> {
    return unlessInterrupted(this.#target.load(entries));
  }

  async freeze(scratch: string, observer: CopyObserver | undefined): Promise<FrozenStore> {
    const frozen = await unlessInterrupted(
      this.#target.freeze(scratch, observer),
      (abandoned) => abandoned[Symbol.asyncDispose](),
    );
    return {
      version: frozen.version,
      keys: frozen.keys,
      scan: (options) => untilInterrupted(frozen.scan(options)),
      [Symbol.asyncDispose]: () => frozen[Symbol.asyncDispose](),
    };
  }

  /** The store stays open. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #attempt<T>(what: string, work: Promise<T>): Promise<T> {
    try {
      return await unlessInterrupted(work);
    } catch (error) {
      if (error instanceof InterruptedError) this.#onAbandoned(what);
      throw error;
    }
  }
}
