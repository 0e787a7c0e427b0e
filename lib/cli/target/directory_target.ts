/** A directory as the target of a command. */

import type { KvStore } from "../../mod.ts";
import type {
  CompactionResult,
  CopyOptions,
  CopyReport,
  Entry,
  OpenOptions,
  ScanOptions,
  SetOptions,
  StoreStats,
  WriteResult,
} from "../../mod.ts";
import { KvError } from "../../errors.ts";
import { openForChange, openForReading, openOrCreate } from "../open_store.ts";
import { copyDirectory, type CopyObserver } from "../transfer/directory_copy.ts";
import { followDirectory } from "./directory_feed.ts";
import type {
  Access,
  FollowedChange,
  FollowOptions,
  FrozenStore,
  LoadEntry,
  Refusal,
  Target,
} from "./target.ts";

/** An fsync for so much at once, and none for its age: {@link DirectoryTarget.flush} decides. */
const LOAD_OPTIONS: OpenOptions = { durability: { bytes: 64 << 20, millis: 1000 } };

/** A store that this process has opened. */
export class DirectoryTarget implements Target {
  readonly isServer = false;
  readonly place: string;
  readonly #path: string;
  readonly #store: KvStore;
  readonly #access: Access;

  private constructor(path: string, store: KvStore, access: Access) {
    this.#path = path;
    this.#store = store;
    this.#access = access;
    this.place = `in ${path}`;
  }

  /** Opens the directory as `access` demands. */
  static async open(path: string, access: Access): Promise<DirectoryTarget> {
    return new DirectoryTarget(path, await openStore(path, access), access);
  }

  getEntry(key: string): Promise<Entry | undefined> {
    return this.#store.getEntry(key);
  }

  set(key: string, value: Uint8Array | string, options: SetOptions): Promise<WriteResult> {
    return this.#store.set(key, value, options);
  }

  delete(key: string): Promise<WriteResult> {
    return this.#store.delete(key);
  }

  scan(options: ScanOptions): AsyncIterable<Entry> {
    return this.#store.scan(options);
  }

  follow(options: FollowOptions): AsyncIterable<FollowedChange> {
    if (this.#access === "read") return followDirectory(this.#path, this.#store, options);
    // Nobody else writes.
    const { since, prefix, values, signal } = options;
    return this.#store.changes({
      since: since ?? this.#store.stats().version,
      values,
      ...(prefix !== undefined && { prefix }),
      ...(signal !== undefined && { signal }),
    });
  }

  stats(): Promise<StoreStats> {
    return Promise.resolve(this.#store.stats());
  }

  flush(): Promise<void> {
    return this.#store.flush();
  }

  compact(): Promise<CompactionResult> {
    return this.#store.compact();
  }

  backup(directory: string, observer: CopyObserver | undefined): Promise<CopyReport> {
    const copy = (options: CopyOptions) => this.#store.backup(directory, options);
    return copyDirectory(this.#path, directory, copy, observer);
  }

  async load(entries: readonly LoadEntry[]): Promise<Refusal[]> {
    if (this.#access !== "load") return await this.#loadTogether(entries);
    const refusals: Refusal[] = [];
    for (const entry of entries) {
      const { key, value, expiresAt } = entry;
      try {
        this.#store.setSync(key, value, expiresAt === undefined ? undefined : { expiresAt });
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refusals.push({ entry, reason: error.message });
      }
    }
    return refusals;
  }

  /** All at once: where every write is durable before it counts, one fsync covers many. */
  async #loadTogether(entries: readonly LoadEntry[]): Promise<Refusal[]> {
    const refusals: Refusal[] = [];
    await Promise.all(entries.map(async (entry) => {
      const { key, value, expiresAt } = entry;
      try {
        await this.#store.set(key, value, expiresAt === undefined ? {} : { expiresAt });
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refusals.push({ entry, reason: error.message });
      }
    }));
    return refusals;
  }

  /** Opened for reading, it does not change any more, whoever else writes. */
  freeze(): Promise<FrozenStore> {
    const store = this.#store;
    return Promise.resolve({
      version: store.stats().version,
      keys: store.size,
      scan: (options: ScanOptions) => store.scan(options),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store.close();
  }
}

function openStore(path: string, access: Access): Promise<KvStore> {
  switch (access) {
    case "read":
      return openForReading(path);
    case "change":
      return openForChange(path);
    case "create":
      return openOrCreate(path, {});
    case "load":
      return openOrCreate(path, LOAD_OPTIONS);
  }
}

/** Whether it is about the one value only. */
function isRefusal(error: unknown): error is KvError {
  return error instanceof KvError &&
    ["InvalidKey", "ValueTooLarge", "InvalidArgument"].includes(error.code);
}
