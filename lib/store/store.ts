/** The store: the public face of the engine. */

import { KvError } from "../errors.ts";
import { BATCH_FRAME_BYTES, encodeBatchHeader } from "../format/control_record.ts";
import { decodeKey, encodeKey, showKey } from "../format/key.ts";
import { formatNodeId } from "../format/node_id.ts";
import type { FileLock } from "../fs/file_system.ts";
import { defaultFileSystem } from "../fs/default.ts";
import { BATCH_BYTES_LIMIT } from "../limits.ts";
import type { ActiveFile } from "../log/active_file.ts";
import { LogWriter } from "../log/log_writer.ts";
import { type VerifyReport, verifyStore } from "../tools/verify.ts";
import { Expirer } from "./expirer.ts";
import { GroupCommit } from "./group_commit.ts";
import type { Keydir } from "./keydir.ts";
import { LazySync } from "./lazy_sync.ts";
import { Maintenance } from "./maintenance.ts";
import { type OpenedLog, openForReading, openForWriting } from "./open_log.ts";
import { type ResolvedOptions, resolveOptions, showValue } from "./options.ts";
import { RecordEncoder } from "./record_encoder.ts";
import { RecordSource } from "./record_source.ts";
import { checkScanOptions, makeEntry, scan } from "./scan.ts";
import type {
  BatchOp,
  BatchOptions,
  CompactionResult,
  DeleteOptions,
  Entry,
  KeyInput,
  OpenOptions,
  ReplayStats,
  ScanOptions,
  SetOptions,
  StoreStats,
  ValueInput,
  WriteResult,
} from "./types.ts";
import {
  checkBatch,
  checkDeleteOptions,
  checkSetOptions,
  type Conditions,
  expiryOf,
  NO_CONDITIONS,
} from "./write_options.ts";

/** What a store that takes writes has, and one opened for reading only has not. */
interface WriteSide {
  lock: FileLock;
  writer: LogWriter;
  encoder: RecordEncoder;
  /** Durability "immediate". */
  commit: GroupCommit | undefined;
  /** Durability { bytes, millis }. */
  lazy: LazySync | undefined;
  maintenance: Maintenance;
}

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
  #write: WriteSide | undefined;
  #keyScratch: Uint8Array;
  #closing: Promise<void> | undefined;

  private constructor(path: string, options: ResolvedOptions, log: OpenedLog) {
    this.#path = path;
    this.#options = options;
    this.#active = log.active;
    this.#keydir = log.keydir;
    this.#replay = log.replay;
    this.#lsnOpened = log.lsn;
    this.#keyScratch = new Uint8Array(options.keyBytesMax * 3);
    if (log.lock !== undefined) this.#write = this.#openWriteSide(log, log.lock);
    this.#source = new RecordSource(this.#keydir, this.#write?.writer, options.logger);
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
    return new KvStore(path, resolved, log);
  }

  /**
   * Checks every byte of the store in the directory `path`, without changing any: each frame, hint
   * file and ACTIVE. Works on a store that is open elsewhere, as of this moment.
   */
  static verify(
    path: string,
    options: Pick<OpenOptions, "fileSystem"> = {},
  ): Promise<VerifyReport> {
    return verifyStore(options.fileSystem ?? defaultFileSystem, path);
  }

  /** The directory it was opened with. */
  get path(): string {
    return this.#path;
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
   */
  set(key: KeyInput, value: ValueInput, options?: SetOptions): Promise<WriteResult> {
    try {
      const lsn = this.#appendSet(key, value, options);
      return this.#acknowledged(lsn);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As {@link set}, blocking. */
  setSync(key: KeyInput, value: ValueInput, options?: SetOptions): WriteResult {
    const lsn = this.#appendSet(key, value, options);
    this.#acknowledgedSync();
    return { version: lsn };
  }

  /** Deletes a key. Rejects with `NotFound` if it does not exist; otherwise as {@link set}. */
  delete(key: KeyInput, options?: DeleteOptions): Promise<WriteResult> {
    try {
      const lsn = this.#appendDelete(key, options);
      return this.#acknowledged(lsn);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As {@link delete}, blocking. */
  deleteSync(key: KeyInput, options?: DeleteOptions): WriteResult {
    const lsn = this.#appendDelete(key, options);
    this.#acknowledgedSync();
    return { version: lsn };
  }

  /**
   * Does several operations as one: all of them or none, also across a crash. With `checks`, none
   * if one of them fails (`ConditionFailed`). A later operation on the same key wins.
   */
  batch(ops: BatchOp[], options?: BatchOptions): Promise<WriteResult> {
    try {
      const lsn = this.#appendBatch(ops, options);
      if (ops.length === 0) return Promise.resolve({ version: lsn });
      return this.#acknowledged(lsn);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As {@link batch}, blocking. */
  batchSync(ops: BatchOp[], options?: BatchOptions): WriteResult {
    const lsn = this.#appendBatch(ops, options);
    if (ops.length > 0) this.#acknowledgedSync();
    return { version: lsn };
  }

  /**
   * The value stored under a key, as bytes of the caller's own; undefined if there is none. Reading
   * waits for no write. Rejects with `CorruptLog` if the stored bytes are damaged.
   */
  get(key: KeyInput): Promise<Uint8Array | undefined> {
    try {
      const address = this.#locate(key);
      return address === 0 ? Promise.resolve(undefined) : this.#source.readAsync(address);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As {@link get}, blocking. */
  getSync(key: KeyInput): Uint8Array | undefined {
    const address = this.#locate(key);
    return address === 0 ? undefined : this.#source.read(address);
  }

  /** A key's value with its version and expiry; undefined if the key does not exist. */
  async getEntry(key: KeyInput): Promise<Entry | undefined> {
    const address = this.#locate(key);
    if (address === 0) return undefined;
    const entry = this.#entryWithoutValue(key, address);
    entry.value = await this.#source.readAsync(address);
    return entry;
  }

  /** As {@link getEntry}, blocking. */
  getEntrySync(key: KeyInput): Entry | undefined {
    const address = this.#locate(key);
    if (address === 0) return undefined;
    const entry = this.#entryWithoutValue(key, address);
    entry.value = this.#source.read(address);
    return entry;
  }

  /** Whether a key exists. Looks into memory only. */
  has(key: KeyInput): boolean {
    return this.#locate(key) !== 0;
  }

  /**
   * Goes through entries in byte order of their keys, without holding up anything else. Keys that
   * exist throughout are seen exactly once; those that come or go meanwhile may be seen or not.
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

  /** Resolves when everything written so far is on stable storage. */
  async flush(): Promise<void> {
    const { commit, lazy, writer } = this.#writable();
    await (commit === undefined ? lazy!.flush() : commit.drained());
    writer.assertWritable();
  }

  /** As {@link flush}, blocking. */
  flushSync(): void {
    const { commit, lazy } = this.#writable();
    if (commit === undefined) lazy!.flushSync();
    else commit.commitNow();
  }

  /**
   * Rewrites all segments that hold anything dead, and removes the old ones. Reads and writes go on
   * meanwhile. The store also compacts by itself; see the option `compaction`.
   */
  compact(): Promise<CompactionResult> {
    try {
      return this.#writable().maintenance.compact();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Figures about the store, exact as of now. */
  stats(): StoreStats {
    this.#assertOpen();
    this.#expirer.expireAll();
    const { index, segments } = this.#keydir;
    const write = this.#write;
    const totalBytes = segments.totalBytes;
    const aliveBytes = segments.aliveBytes;
    const lastCompaction = write?.maintenance.lastCompaction;
    return {
      keys: index.size,
      version: write?.commit?.lsnVisible ?? write?.writer.lsnAppended ?? this.#lsnOpened,
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
      ...(lastCompaction === undefined ? {} : { lastCompaction }),
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
    const write = this.#write;
    try {
      if (write !== undefined) await this.#closeWriteSide(write);
    } finally {
      write?.writer.close();
      this.#keydir.segments.close();
      write?.lock.release();
      this.#options.logger.info("Closed {path}", { path: this.#path });
    }
  }

  async #closeWriteSide({ writer, commit, lazy, maintenance }: WriteSide): Promise<void> {
    await maintenance.close();
    await commit?.drained();
    lazy?.close();
    if (writer.failure === undefined) {
      if (lazy !== undefined) await lazy.flush();
      writer.seal();
      await maintenance.hintAtClose(writer.segment);
    } else if (lazy !== undefined) {
      // Writes that were acknowledged before the failure may be lost: somebody has to be told.
      throw writer.failure;
    }
  }

  #openWriteSide(log: OpenedLog, lock: FileLock): WriteSide {
    const options = this.#options;
    const { fileSystem: fs, clock, logger, durability, segmentBytesMax } = options;
    const { directory, active, keydir } = log;
    const writer = new LogWriter(
      {
        fs,
        directory,
        segments: keydir.segments,
        active,
        segmentBytesMax,
        now: () => clock.now(),
        onSegmentClosed: (segment) => maintenance.hint(segment),
      },
      log.lsn,
      log.sealed,
    );
    const commit = durability === "immediate" ? new GroupCommit(writer, keydir, clock) : undefined;
    const lazy = durability === "immediate"
      ? undefined
      : new LazySync(writer, durability, clock, logger);
    const maintenance = new Maintenance({
      fs,
      directory,
      keydir,
      active,
      clock,
      logger,
      thresholds: { ...options.compaction, segmentBytesMax },
      auto: options.compaction.auto,
      rotate: () => writer.rotate(),
      settle: async () => {
        await (commit?.drained() ?? lazy!.flush());
        writer.assertWritable();
      },
      lsnVisible: () => commit?.lsnVisible ?? writer.lsnAppended,
      lsnDurable: () => writer.lsnDurable,
    });
    if (!log.sealed) writer.seal();
    for (const segment of keydir.segments.ordered.slice(0, -1)) {
      if (segment.hintedLength === 0) maintenance.hint(segment);
    }
    const encoder = new RecordEncoder(
      writer,
      keydir.index,
      options.keyBytesMax,
      options.valueBytesMax,
    );
    return { lock, writer, encoder, commit, lazy, maintenance };
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) {
      throw new KvError("Closed", `The store ${this.#path} is closed: open it again`, {
        path: this.#path,
      });
    }
  }

  #writable(): WriteSide {
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

  /** The address of a key's record in the index, 0 if it does not exist. */
  #locate(key: KeyInput): number {
    this.#assertOpen();
    const { index } = this.#keydir;
    const bytes = this.#keyScratch;
    const length = encodeKey(key, bytes, 0, this.#options.keyBytesMax);
    const address = index.find(index.hash(bytes, 0, length), bytes, 0, length);
    if (address === 0) return 0;
    return this.#isExpired(address) ? 0 : address;
  }

  #isExpired(address: number): boolean {
    const expiresAt = this.#keydir.index.expiresAt(address);
    return expiresAt !== 0 && expiresAt <= this.#options.clock.now();
  }

  #entryWithoutValue(key: KeyInput, address: number): Entry {
    const text = typeof key === "string" ? key : decodeKey(key);
    return makeEntry(this.#keydir, address, text, NO_VALUE);
  }

  #appendSet(key: KeyInput, value: ValueInput, options: SetOptions | undefined): number {
    const write = this.#writable();
    const { writer, encoder } = write;
    writer.assertWritable();
    const conditions = options === undefined ? NO_CONDITIONS : checkSetOptions(options);
    const expiresAt = options === undefined ? 0 : expiryOf(options, this.#options.clock);
    encoder.beginAt(writer.reserve(encoder.room(key, value)), key);
    if (conditions !== NO_CONDITIONS) this.#assertConditions(write, key, conditions);
    const lsn = writer.takeLsn();
    encoder.finishSet(key, value, expiresAt, lsn);
    encoder.at = writer.placeRecords(encoder.at, encoder.frameLength);
    this.#append(write, false, lsn, expiresAt);
    return lsn;
  }

  #appendDelete(key: KeyInput, options: DeleteOptions | undefined): number {
    const write = this.#writable();
    const { writer, encoder } = write;
    writer.assertWritable();
    const conditions = options === undefined ? NO_CONDITIONS : checkDeleteOptions(options);
    encoder.beginAt(writer.reserve(encoder.room(key, undefined)), key);
    if (this.#currentVersion(write) === 0) {
      throw new KvError("NotFound", `Key ${showKey(key)} does not exist`);
    }
    if (conditions !== NO_CONDITIONS) this.#assertConditions(write, key, conditions);
    const lsn = writer.takeLsn();
    encoder.finishDelete(lsn);
    encoder.at = writer.placeRecords(encoder.at, encoder.frameLength);
    this.#append(write, true, lsn, 0);
    return lsn;
  }

  /** Appends the record that the encoder holds, and makes it visible if it need not be durable. */
  #append(write: WriteSide, isDelete: boolean, lsn: number, expiresAt: number): void {
    const { writer, encoder, commit } = write;
    const { at, frameLength, crc } = encoder;
    const offset = writer.appendRecord(at, frameLength, lsn, crc);
    const { segment } = writer;
    if (isDelete) segment.tombstoneBytes += frameLength;
    if (commit !== undefined) {
      commit.add(encoder, isDelete, offset, lsn, expiresAt);
    } else {
      const { bytes } = writer.buffer;
      const { hash, keyStart, keyLength } = encoder;
      if (isDelete) this.#keydir.delete(hash, bytes, keyStart, keyLength);
      else {
        this.#keydir.set(
          hash,
          bytes,
          keyStart,
          keyLength,
          segment,
          offset,
          frameLength,
          crc,
          lsn,
          expiresAt,
        );
      }
      write.lazy!.noteAppended(frameLength);
    }
    write.maintenance.noteAppended(frameLength);
  }

  #appendBatch(ops: BatchOp[], options: BatchOptions = {}): number {
    const write = this.#writable();
    const { writer, encoder } = write;
    writer.assertWritable();
    const { checks, expiries } = checkBatch(ops, options, this.#options.clock);
    const rooms = ops.map((op) => encoder.room(op.key, op.op === "set" ? op.value : undefined));
    const room = rooms.reduce((sum, each) => sum + each, BATCH_FRAME_BYTES);
    if (room > BATCH_BYTES_LIMIT) {
      throw new KvError(
        "InvalidArgument",
        `Batch may take ${room} bytes: at most ${BATCH_BYTES_LIMIT} are allowed, split it`,
      );
    }
    for (const { key, version } of checks) {
      encoder.beginAt(writer.reserve(encoder.room(key, undefined)), key);
      this.#assertConditions(write, key, { ifAbsent: version === null, ifVersion: version });
    }
    if (ops.length === 0) return writer.lsnAppended;
    return this.#encodeBatch(write, ops, expiries, room);
  }

  #encodeBatch(write: WriteSide, ops: BatchOp[], expiries: Float64Array, room: number): number {
    const { writer, encoder } = write;
    const count = ops.length;
    const firstLsn = writer.takeLsn();
    const start = writer.reserve(room);
    // A batch of one is a record like any other.
    const headerBytes = count === 1 ? 0 : BATCH_FRAME_BYTES;
    let at = start + headerBytes;
    const frames = ops.map((op, index) => {
      encoder.beginAt(at, op.key);
      if (op.op === "set") encoder.finishSet(op.key, op.value, expiries[index]!, firstLsn + index);
      else encoder.finishDelete(firstLsn + index);
      at += encoder.frameLength;
      const { hash, keyLength, frameLength, crc } = encoder;
      return { hash, keyLength, frameLength, crc };
    });
    const byteLength = at - start;
    at = writer.placeRecords(start, byteLength);
    if (count > 1) {
      const framesBytes = byteLength - headerBytes;
      const crc = encodeBatchHeader(writer.buffer, at, firstLsn + count - 1, count, framesBytes);
      writer.appendControl(at, headerBytes, crc);
      at += headerBytes;
    }
    frames.forEach((frame, index) => {
      Object.assign(encoder, frame, { at });
      this.#append(write, ops[index]!.op === "del", firstLsn + index, expiries[index]!);
      at += frame.frameLength;
    });
    return firstLsn + count - 1;
  }

  /** The version of the encoder's key, writes in flight included; 0 if it does not exist. */
  #currentVersion(write: WriteSide): number {
    const { writer, encoder, commit } = write;
    const { hash, keyStart, keyLength } = encoder;
    const { bytes } = writer.buffer;
    const pending = commit?.find(hash, bytes, keyStart, keyLength);
    if (pending !== undefined) {
      const { isDelete, expiresAt, lsn } = pending;
      const gone = isDelete || (expiresAt !== 0 && expiresAt <= this.#options.clock.now());
      return gone ? 0 : lsn;
    }
    const { index } = this.#keydir;
    const address = index.find(hash, bytes, keyStart, keyLength);
    return address === 0 || this.#isExpired(address) ? 0 : index.lsn(address);
  }

  #assertConditions(write: WriteSide, key: KeyInput, { ifAbsent, ifVersion }: Conditions): void {
    const version = this.#currentVersion(write);
    if (ifAbsent && version !== 0) {
      throw new KvError(
        "ConditionFailed",
        `Key ${showKey(key)} exists already, with version ${version}: nothing was written`,
      );
    }
    if (ifVersion !== null && version !== ifVersion) {
      const found = version === 0 ? "does not exist" : `has version ${version}`;
      throw new KvError(
        "ConditionFailed",
        `Key ${showKey(key)} ${found}, not version ${ifVersion}: nothing was written`,
      );
    }
  }

  #acknowledged(lsn: number): Promise<WriteResult> {
    const { commit, lazy } = this.#write!;
    if (commit !== undefined) return commit.acknowledged();
    const result = { version: lsn };
    const { backpressure } = lazy!;
    return backpressure === undefined ? Promise.resolve(result) : backpressure.then(() => result);
  }

  #acknowledgedSync(): void {
    const { commit, lazy } = this.#write!;
    if (commit !== undefined) commit.commitNow();
    else lazy!.blockUnderPressure();
  }
}

const NO_VALUE = new Uint8Array(0);
