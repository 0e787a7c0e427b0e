/** The store: the public face of the engine. */

import { systemClock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { checkKeyBytes, decodeKey, encodeKey } from "../format/key.ts";
import { formatNodeId } from "../format/node_id.ts";
import { defaultFileSystem } from "../fs/default.ts";
import type { ActiveFile } from "../log/active_file.ts";
import { CommandLog } from "../telemetry/logger.ts";
import type { CopyOptions, CopyReport } from "../tools/copy_store.ts";
import { inspectFile, type InspectItem, type InspectOptions } from "../tools/inspect.ts";
import { type RepairOptions, type RepairReport, repairStore } from "../tools/repair.ts";
import { restoreStore } from "../tools/restore.ts";
import type { StoreSnapshot } from "../tools/store_snapshot.ts";
import { verifyStore } from "../tools/verify.ts";
import type { VerifyReport } from "../tools/verify_report.ts";
import { openChanges } from "./changes.ts";
import { type DirectAccess, directAccess } from "./direct_access.ts";
import { Expirer } from "./expirer.ts";
import type { Keydir } from "./keydir.ts";
import { type OpenedLog, openForReading, openForWriting } from "./open_log.ts";
import { type ResolvedOptions, resolveOptions, showValue } from "./options.ts";
import { RecordSource } from "./record_source.ts";
import { type NewestContext, opsOfUpdate } from "./newest.ts";
import { checkReadOptions } from "./read_arguments.ts";
import { randomAddress } from "./random_address.ts";
import { checkScanOptions, keyText, makeEntry, scan } from "./scan.ts";
import { checkCopyArguments, Snapshots } from "./snapshots.ts";
import { Sharing } from "./sharing.ts";
import type { SharedStore } from "./shared_store.ts";
import type {
  BatchOp,
  BatchOptions,
  ChangeFeed,
  ChangesOptions,
  CompactionResult,
  DeleteOptions,
  Entry,
  KeyInfo,
  KeyInput,
  OpenOptions,
  ReadOptions,
  ReplayStats,
  ScanOptions,
  SetOptions,
  SetResult,
  StoreStats,
  UpdateChange,
  ValueInput,
  WriteResult,
} from "./types.ts";
import { WritePath } from "./write_path.ts";

/**
 * A key/value store in a directory: an index in memory, everything else in an append-only log.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 *
 * await using store = await KvStore.open("./data");
 * await store.set("greeting", "hello");
 * const value = await store.get("greeting");
 * console.log(new TextDecoder().decode(value)); // hello
 * ```
 */
export class KvStore implements AsyncDisposable {
  #path: string;
  #options: ResolvedOptions;
  #active: ActiveFile;
  #keydir: Keydir;
  #source: RecordSource;
  #expirer: Expirer;
  #replay: ReplayStats;
  #lsnOpened: number;
  #write: WritePath | undefined;
  #snapshots: Snapshots;
  #commands: CommandLog;
  #keyScratch: Uint8Array;
  #newest: NewestContext;
  #direct: DirectAccess | undefined;
  #sharing: Sharing | undefined;
  #closing: Promise<void> | undefined;

  private constructor(path: string, options: ResolvedOptions, log: OpenedLog) {
    this.#path = path;
    this.#options = options;
    this.#active = log.active;
    this.#keydir = log.keydir;
    this.#replay = log.replay;
    this.#lsnOpened = log.lsn;
    this.#commands = new CommandLog(options.logger);
    this.#keyScratch = new Uint8Array(options.keyBytesMax * 3);
    if (log.lock !== undefined) this.#write = new WritePath(options, log, log.lock);
    this.#source = new RecordSource(
      this.#keydir,
      this.#write?.writer,
      options.logger,
      options.memoryMap,
    );
    this.#newest = {
      keydir: this.#keydir,
      source: this.#source,
      commit: this.#write?.commit,
      clock: options.clock,
      keyScratch: this.#keyScratch,
      keyBytesMax: options.keyBytesMax,
    };
    this.#snapshots = new Snapshots({
      fs: options.fileSystem,
      clock: options.clock,
      path,
      active: log.active,
      keydir: log.keydir,
      write: this.#write,
      lsnOpened: log.lsn,
      assertOpen: () => this.#assertOpen(),
    });
    this.#expirer = new Expirer(
      this.#keydir,
      options.clock,
      () => this.#write?.maintenance.check(),
    );
    this.#write?.maintenance.check();
  }

  /**
   * Opens the store in the directory `path`, and creates it if there is none. Only one opener at a
   * time may write; see the option `readOnly`.
   *
   * Throws `Locked` if another opener has it, `CorruptLog` if acknowledged data is damaged (nothing
   * is changed then), `Unsupported` for a newer format, `InvalidArgument` for wrong options, `Io`
   * and `NoSpace` as the file system has it.
   *
   * @example
   * ```ts
   * import { KvError, KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./data", { durability: "immediate" });
   * await KvStore.open("./data").catch((error: KvError) => console.log(error.code)); // Locked
   * await using reader = await KvStore.open("./data", { readOnly: true });
   * console.log(reader.size, store.size); // 0 0
   * ```
   */
  static async open(path: string, options: OpenOptions = {}): Promise<KvStore> {
    if (typeof path !== "string" || path === "") {
      throw new KvError(
        "InvalidArgument",
        `Path is ${showValue(path)}: pass the path of a directory`,
      );
    }
    const resolved = resolveOptions(options);
    const log = resolved.readOnly
      ? await openForReading(path, resolved)
      : await openForWriting(path, resolved);
    try {
      return new KvStore(path, resolved, log);
    } catch (error) {
      log.keydir.segments.close();
      log.lock?.release();
      throw error;
    }
  }

  /**
   * Checks every byte of the store in the directory `path`, without changing any: each frame, hint
   * file and ACTIVE. Works on a store that is open elsewhere, as of this moment. Damage is part of the
   * report; throws `Io` if there is no store, or it cannot be read.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./data");
   * await store.set("greeting", "hello");
   * const { ok, records, problems } = await KvStore.verify("./data");
   * console.log(ok, records, problems.length); // true 1 0
   * ```
   */
  static verify(
    path: string,
    { fileSystem = defaultFileSystem, clock = systemClock }: Pick<
      OpenOptions,
      "fileSystem" | "clock"
    > = {},
  ): Promise<VerifyReport> {
    return verifyStore(fileSystem, path, clock);
  }

  /**
   * Salvages every readable record of the damaged store in the directory `path` into a new store in
   * the directory `destination`, which must not exist or be empty. Versions stay what they were. The
   * damaged store is only read. Resolves to a report of what was lost, however much that is.
   *
   * Throws `Locked` if the store is open somewhere, `InvalidArgument` for an unusable destination,
   * `Unsupported` for a newer format, `Io` and `NoSpace` as the file system has it.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * {
   *   await using store = await KvStore.open("./damaged");
   *   await store.set("greeting", "hello");
   * }
   * const { complete, keys } = await KvStore.repair("./damaged", "./rescued");
   * console.log(complete, keys); // true 1
   * ```
   */
  static repair(
    path: string,
    destination: string,
    options: RepairOptions & Pick<OpenOptions, "fileSystem" | "clock" | "random"> = {},
  ): Promise<RepairReport> {
    return repairStore(options.fileSystem ?? defaultFileSystem, path, destination, options);
  }

  /**
   * Makes a store out of a backup: copies the store in the directory `backup` into the directory
   * `path`, which must not exist or be empty. Every frame of the backup is checked before anything
   * is written, and every frame of the copy afterwards. Resolves when it is on stable storage.
   *
   * Throws `InvalidArgument` for an unusable destination, `CorruptLog` if the backup is damaged or
   * was left unfinished, `Locked` if a store has it open for writing, `Unsupported` for a newer
   * format, `Io` and `NoSpace` as the file system has it. Nothing that opens is left then.
   */
  static async restore(
    backup: string,
    path: string,
    options: CopyOptions & Pick<OpenOptions, "fileSystem" | "clock"> = {},
  ): Promise<CopyReport> {
    const { fileSystem = defaultFileSystem, clock = systemClock, ...rest } = options;
    checkCopyArguments(backup, rest);
    checkCopyArguments(path, rest);
    return await restoreStore(fileSystem, backup, path, clock, rest);
  }

  /**
   * Goes through one file of a store, whichever it is: what kind it is, then frame by frame or entry
   * by entry what it holds, damage included. Only reads; throws `Io` if it cannot.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./data");
   * await store.set("greeting", "hello");
   * for await (const item of KvStore.inspect("./data/wal/NODE_ID")) {
   *   console.log(item.kind, item.kind === "file" ? item.type : item.offset); // file nodeId, fields 0
   * }
   * ```
   */
  static inspect(
    file: string,
    options: InspectOptions & Pick<OpenOptions, "fileSystem" | "clock"> = {},
  ): AsyncIterableIterator<InspectItem> {
    const { fileSystem = defaultFileSystem, clock = systemClock } = options;
    return inspectFile(fileSystem, file, clock, options);
  }

  /** The directory it was opened with. */
  get path(): string {
    return this.#path;
  }

  /**
   * Why the store takes no writes until it is reopened, after an error of the disk; undefined as long
   * as there was none. Throws `Closed`.
   */
  get failure(): KvError | undefined {
    this.#assertOpen();
    return this.#write?.writer.failure;
  }

  /** Number of keys that exist. */
  get size(): number {
    this.#assertOpen();
    this.#expirer.expireAll();
    return this.#keydir.index.size;
  }

  /**
   * Stores a value under a key, replacing any. Resolves once the write counts as done by the
   * store's durability.
   *
   * Rejects with `InvalidKey`, `ValueTooLarge`, `InvalidArgument`, `ConditionFailed` (from
   * `ifAbsent` and `ifVersion`), `ReadOnly`, `Closed`, and with `Io` or `NoSpace` when writing
   * fails, after which the store takes no writes until it is reopened.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./data");
   * const { version } = await store.set("session", "tea", { ttl: 900_000 }); // milliseconds
   * const { created } = await store.set("session", "coffee", { ifVersion: version });
   * console.log(version, created); // 1 false
   * ```
   */
  set(key: KeyInput, value: ValueInput, options?: SetOptions): Promise<SetResult> {
    try {
      const write = this.#writable();
      return write.acknowledgement.ofSet(write.set(key, value, options));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** As {@link set}, blocking. */
  setSync(key: KeyInput, value: ValueInput, options?: SetOptions): SetResult {
    const write = this.#writable();
    try {
      return write.acknowledgement.ofSetSync(write.set(key, value, options));
    } catch (error) {
      return write.refuseSync(error);
    }
  }

  /** Deletes a key. Rejects with `NotFound` if it does not exist; otherwise as {@link set}. */
  delete(key: KeyInput, options?: DeleteOptions): Promise<WriteResult> {
    try {
      const write = this.#writable();
      return write.acknowledgement.of(write.delete(key, options));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** As {@link delete}, blocking. */
  deleteSync(key: KeyInput, options?: DeleteOptions): WriteResult {
    const write = this.#writable();
    try {
      const version = write.delete(key, options);
      write.acknowledgement.block();
      return { version };
    } catch (error) {
      return write.refuseSync(error);
    }
  }

  /**
   * Does several operations as one: all of them or none, also across a crash. With `checks`, none
   * if one of them fails (`ConditionFailed`). A later operation on the same key wins. Resolves to the
   * version of the last operation; rejects as {@link set}.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./data");
   * const { version } = await store.set("alice", "100");
   * await store.batch(
   *   [{ op: "set", key: "alice", value: "70" }, { op: "set", key: "bob", value: "30" }],
   *   { checks: [{ key: "alice", version }, { key: "bob", version: null }] },
   * );
   * console.log(store.size); // 2
   * ```
   */
  batch(ops: BatchOp[], options?: BatchOptions): Promise<WriteResult> {
    try {
      const write = this.#writable();
      const version = write.batch(ops, options);
      if (ops.length > 0) return write.acknowledgement.of(version);
      return write.settled().then(() => ({ version }));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** As {@link batch}, blocking. */
  batchSync(ops: BatchOp[], options?: BatchOptions): WriteResult {
    const write = this.#writable();
    try {
      const version = write.batch(ops, options);
      write.acknowledgement.block();
      return { version };
    } catch (error) {
      return write.refuseSync(error);
    }
  }

  /**
   * Reads and writes at once: nothing comes between what `change` reads and what it wants written.
   * It is called exactly once, before `update` returns, with a function that gives the newest entry
   * of a key, and another that gives its version, size and expiry, as {@link stat} does, without
   * reading the value. That may be a write that is not durable yet, so keep what you make of it to yourself
   * until the promise resolves: then both what was read and what was written counts as done, by the
   * store's durability. `change` returns the operations to write, all or nothing as with
   * {@link batch}; with none of them, the version returned is the store's.
   *
   * Rejects as {@link batch} does. If `change` throws, nothing is written, and the promise rejects
   * with what it threw.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./counted");
   * async function increment(key: string): Promise<number> {
   *   let count = 0;
   *   await store.update((newest) => {
   *     count = Number(new TextDecoder().decode(newest(key)?.value)) + 1;
   *     return [{ op: "set", key, value: String(count) }];
   *   });
   *   return count;
   * }
   * const before = await increment("visits");
   * await Promise.all(Array.from({ length: 100 }, () => increment("visits")));
   * console.assert(await increment("visits") === before + 101);
   * ```
   */
  update(change: UpdateChange): Promise<WriteResult> {
    try {
      this.#writable();
      return this.batch(opsOfUpdate(this.#newest, change));
    } catch (error) {
      return this.#refuseUpdate(error);
    }
  }

  /**
   * The value stored under a key, as bytes of the caller's own; undefined if there is none. Reading
   * waits for no write. Rejects with `CorruptLog` if the stored bytes are damaged.
   */
  get(key: KeyInput): Promise<Uint8Array | undefined> {
    try {
      const address = this.#locate(key, true);
      return address === 0 ? Promise.resolve(undefined) : this.#source.readAsync(address);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As {@link get}, blocking. */
  getSync(key: KeyInput): Uint8Array | undefined {
    const address = this.#locate(key, true);
    return address === 0 ? undefined : this.#source.read(address);
  }

  /** A key's value with its version and expiry; undefined if the key does not exist. */
  async getEntry(key: KeyInput): Promise<Entry | undefined> {
    const address = this.#locate(key, true);
    if (address === 0) return undefined;
    const entry = this.#entryWithoutValue(key, address);
    entry.value = await this.#source.readAsync(address);
    return entry;
  }

  /** As {@link getEntry}, blocking; long values can be left out. */
  getEntrySync(key: KeyInput, options?: ReadOptions): Entry | undefined {
    const valueBytesMax = options === undefined ? Infinity : checkReadOptions(options);
    const address = this.#locate(key, true);
    if (address === 0) return undefined;
    const entry = this.#entryWithoutValue(key, address);
    const size = this.#source.valueLength(address);
    if (size > valueBytesMax) entry.size = size;
    else entry.value = this.#source.read(address);
    return entry;
  }

  /** Whether a key exists. Looks into memory only. */
  has(key: KeyInput): boolean {
    return this.#locate(key, false) !== 0;
  }

  /** A key's version, expiry and size of value; undefined if it does not exist. Reads no file. */
  stat(key: KeyInput): KeyInfo | undefined {
    const address = this.#locate(key, false);
    if (address === 0) return undefined;
    const size = this.#source.valueLength(address);
    const version = this.#keydir.index.lsn(address);
    const expiresAt = this.#keydir.index.expiresAt(address);
    return expiresAt === 0 ? { version, size } : { version, size, expiresAt };
  }

  /** A key that exists, any as likely as the next; undefined if there is none. Reads no file. */
  randomKey(): string | undefined {
    this.#assertOpen();
    this.#expirer.expireAll();
    const address = randomAddress(this.#keydir.index, this.#options.random);
    if (address === 0) return undefined;
    return keyText(this.#keydir, address);
  }

  /**
   * Goes through entries in byte order of their keys, without holding up anything else. Keys that
   * exist throughout are seen exactly once; those that come or go meanwhile may be seen or not.
   * Throws `InvalidArgument` for options that make no sense, and `Closed`; the iterator `CorruptLog`
   * and `Io` if a value cannot be read.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./data");
   * for (const key of ["user:ada", "user:bob", "visits"]) await store.set(key, "");
   * for await (const { key } of store.scan({ prefix: "user:", reverse: true, limit: 10 })) {
   *   console.log(key); // user:bob, user:ada
   * }
   * ```
   */
  scan(options: ScanOptions = {}): AsyncIterableIterator<Entry> {
    this.#assertOpen();
    const { range, limit } = checkScanOptions(options);
    const context = {
      keydir: this.#keydir,
      source: this.#source,
      clock: this.#options.clock,
      assertOpen: () => this.#assertOpen(),
    };
    return scan(context, range, limit, options.values ?? true);
  }

  /**
   * Follows what is written, in the order of the versions: first what was written after version
   * `since`, then live. At least the newest change of every key is there, deletes included; older
   * ones may have been compacted away. Nothing is shown before readers can see it; with durability
   * `{ bytes, millis }` that is before it is durable. A feed that is not read from costs nothing.
   *
   * An expiry is no change: who follows has to mind `expiresAt`. Once such a key has expired or was
   * deleted, compaction may leave a delete of the same version in the place of the set.
   *
   * To begin with all keys, take the store's version, scan, then follow from that version. To go on
   * later, keep the version of the last change that was dealt with.
   *
   * Throws `InvalidArgument`, also for a `since` above the store's version. Throws `Compacted` for
   * a `since` older than deletes that compaction has dropped (see the option
   * `compaction.retainedVersions`): start again from a scan. A feed that stays so far behind ends
   * with `Compacted` too, with `Closed` when the store is closed, and with `CorruptLog` or `Io` if
   * the log cannot be read.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./followed");
   * const copy = new Map<string, Uint8Array>();
   * const { version } = store.stats();
   * for await (const { key, value } of store.scan()) copy.set(key, value);
   *
   * const feed = store.changes({ since: version });
   * await store.set("user:ada", "Ada");
   * await store.delete("user:ada");
   * for await (const change of feed) {
   *   console.log(change.op, change.key); // set user:ada, del user:ada
   *   if (change.op === "set") copy.set(change.key, change.value!);
   *   else copy.delete(change.key);
   *   if (change.version === store.stats().version) break; // up to date; or wait for more
   * }
   * ```
   */
  changes(options: ChangesOptions = {}): ChangeFeed {
    this.#assertOpen();
    const context = {
      segments: this.#keydir.segments,
      active: this.#active,
      writer: this.#write?.writer,
      bell: this.#write?.bell,
      clock: this.#options.clock,
      lsnVisible: () => this.#lsnVisible,
      assertOpen: () => this.#assertOpen(),
    };
    return openChanges(context, options);
  }

  /**
   * Resolves when everything written so far is on stable storage, and compaction is not too far
   * behind it.
   */
  async flush(): Promise<void> {
    const write = this.#writable();
    await write.flush();
    // Where else could those wait who write with blocking calls?
    await write.backpressure.admission();
  }

  /** As {@link flush}, blocking. */
  flushSync(): void {
    this.#writable().flushSync();
  }

  /**
   * Rewrites all segments that hold anything dead, and removes the old ones. Reads and writes go on
   * meanwhile. The store also compacts by itself; see the option `compaction`.
   *
   * Rejects with `ReadOnly`, `Closed`, and with `CorruptLog`, `Io` or `NoSpace` if it fails; what was
   * there is untouched then.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./data");
   * for (let count = 0; count < 10; count++) await store.set("visits", String(count));
   * await store.compact();
   * console.log((await KvStore.verify("./data")).records); // 1
   * ```
   */
  compact(): Promise<CompactionResult> {
    try {
      return this.#writable().maintenance.compact();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Copies the store, as of one moment, into `directory`, which must not exist or be empty. Reads,
   * writes and compaction go on meanwhile. Everything acknowledged before the call is in the copy,
   * which is a store of its own: it can be opened, verified, and made a store elsewhere by
   * {@link restore}. Every frame is checked on the way. Resolves when all of it is on stable storage.
   *
   * Rejects with `InvalidArgument` for an unusable destination, `CorruptLog` if the store is damaged,
   * `Closed` if it is closed meanwhile, `Locked` if another backup writes there, `Io` and `NoSpace`
   * as the file system has it. What was copied is removed then, and the store goes on.
   *
   * @example
   * ```ts
   * import { KvStore } from "@cairn/kv";
   *
   * await using store = await KvStore.open("./data");
   * const { version } = await store.set("greeting", "hello");
   * const backup = await store.backup("./backup");
   * console.assert(backup.version === version);
   * await KvStore.restore("./backup", "./data-of-then");
   * ```
   */
  async backup(directory: string, options: CopyOptions = {}): Promise<CopyReport> {
    this.#assertOpen();
    return await this.#snapshots.backup(directory, options);
  }

  /**
   * The files of the whole store as of this moment, to copy them elsewhere than to a directory. To be
   * closed; closing the store closes it too. Rejects as {@link flush}, but not with `ReadOnly`.
   */
  async snapshot(): Promise<StoreSnapshot> {
    this.#assertOpen();
    return await this.#snapshots.take();
  }

  /**
   * A handle by which other threads of this process read the store as it is from moment to moment,
   * while this one writes: post it to as many workers as you like, and pass it to `KvReader.attach`
   * there. Reading that way asks this thread for nothing. The handle is the same at every call, and
   * of no more use once the store is closed.
   *
   * Throws `Closed`; `ReadOnly` for a store that was opened so; `Unsupported` where the runtime or
   * the system cannot share memory that grows; `Io` and `NoSpace` if writes that are waiting to be
   * written cannot be.
   */
  share(): SharedStore {
    const write = this.#writable();
    this.#sharing ??= new Sharing(this.#path, this.#keydir, write, this.#options);
    return this.#sharing.handle;
  }

  /** Figures about the store, exact as of now. */
  stats(): StoreStats {
    this.#assertOpen();
    this.#expirer.expireAll();
    const { index, segments } = this.#keydir;
    const write = this.#write;
    const totalBytes = segments.totalBytes;
    const aliveBytes = segments.aliveBytes;
    return {
      keys: index.size,
      expiringKeys: index.expiringKeys,
      version: this.#lsnVisible,
      durableVersion: write?.writer.lsnDurable ?? this.#lsnOpened,
      totalBytes,
      aliveBytes,
      deadBytes: totalBytes - aliveBytes,
      segments: segments.ordered.length,
      indexBytes: index.memoryBytes(),
      indexKeyBytes: index.keyBytes(),
      writesInFlight: write?.commit?.size ?? 0,
      syncs: write?.writer.syncs ?? 0,
      compactions: write?.maintenance.compactions ?? 0,
      compacting: write?.maintenance.compacting ?? false,
      backpressureMs: write?.backpressure.waitedMs ?? 0,
      ...write?.maintenance.last,
      nodeId: formatNodeId(this.#active.nodeId),
      replay: this.#replay,
    };
  }

  /**
   * Closes the store: finishes what is in flight, makes everything durable, gives the lock back.
   * Every later call throws `Closed`, but closing again is no error.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** As {@link close}; what `await using` calls. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#expirer.close();
    this.#sharing?.close();
    // Feeds that wait for news learn this way that there will be none.
    this.#write?.bell.ring();
    try {
      await this.#snapshots.close();
      await this.#write?.close();
    } finally {
      this.#keydir.segments.close();
      this.#options.logger.info("Closed {path}", { path: this.#path });
    }
  }

  /**
   * The shortest way in, for this package's servers.
   *
   * @internal
   */
  get direct(): DirectAccess {
    return this.#direct ??= directAccess({
      keydir: this.#keydir,
      source: this.#source,
      write: this.#write,
      clock: this.#options.clock,
      keyBytesMax: this.#options.keyBytesMax,
      valueBytesMax: this.#options.valueBytesMax,
      isClosed: () => this.#closing !== undefined,
      onRead: (address) => void (this.#commands.enabled && this.#noteRead(address)),
    });
  }

  get #lsnVisible(): number {
    return this.#write?.lsnVisible ?? this.#lsnOpened;
  }

  /** What the change of an update throws may be for what it has seen, which has to be durable first. */
  async #refuseUpdate(error: unknown): Promise<never> {
    if (this.#closing === undefined) await this.#write?.settled();
    throw error;
  }

  #refuse(error: unknown): Promise<never> {
    return this.#write?.refuse(error) ?? Promise.reject(error);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) {
      throw new KvError("Closed", `The store ${this.#path} is closed: open it again`, {
        path: this.#path,
      });
    }
  }

  #writable(): WritePath {
    this.#assertOpen();
    if (this.#write === undefined) {
      throw new KvError(
        "ReadOnly",
        `The store ${this.#path} was opened with readOnly: open it without to write`,
        { path: this.#path },
      );
    }
    return this.#write;
  }

  /** Address of a key's record in the index, or 0; `reads` if its value is to be read next. */
  #locate(key: KeyInput, reads: boolean): number {
    this.#assertOpen();
    if (typeof key !== "string") return this.#locateBytes(key, reads);
    const bytes = this.#keyScratch;
    return this.#find(bytes, encodeKey(key, bytes, 0, this.#options.keyBytesMax), reads);
  }

  /** As {@link #locate}. Whether they can be a key at all is asked only where there is none. */
  #locateBytes(key: Uint8Array, reads: boolean): number {
    const { keyBytesMax } = this.#options;
    if (key instanceof Uint8Array && key.length <= keyBytesMax) {
      const address = this.#find(key, key.length, reads);
      if (address !== 0) return address;
    }
    checkKeyBytes(key, keyBytesMax);
    return 0;
  }

  #find(bytes: Uint8Array, length: number, reads: boolean): number {
    const keydir = this.#keydir;
    const address = reads ? keydir.findToRead(bytes, 0, length) : keydir.find(bytes, 0, length);
    if (address === 0 || keydir.isExpired(address, this.#options.clock)) return 0;
    if (this.#commands.enabled) this.#noteRead(address);
    return address;
  }

  #noteRead(address: number): void {
    const { index } = this.#keydir;
    const lsn = index.lsn(address);
    const frameLength = index.frameLength(address);
    this.#commands.note("get", lsn, index.fileId(address), index.offset(address), frameLength);
  }

  #entryWithoutValue(key: KeyInput, address: number): Entry {
    const text = typeof key === "string" ? key : decodeKey(key);
    return makeEntry(this.#keydir, address, text, NO_VALUE);
  }
}

const NO_VALUE = new Uint8Array(0);
