/**
 * The way of a write: validated, encoded, checked against its conditions, appended to the log, and
 * made visible and acknowledged as the store's durability has it.
 */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { BATCH_FRAME_BYTES, encodeBatchHeader } from "../format/control_record.ts";
import { showKey } from "../format/key.ts";
import { DirectoryWatch } from "../fs/directory_watch.ts";
import type { FileLock } from "../fs/file_system.ts";
import type { ActiveFile } from "../log/active_file.ts";
import { LogWriter } from "../log/log_writer.ts";
import { CommandLog, type Logger } from "../telemetry/logger.ts";
import { Acknowledgement } from "./acknowledgement.ts";
import { Backpressure } from "./backpressure.ts";
import { GroupCommit } from "./group_commit.ts";
import { assertConditions, isAboutState } from "./conditions.ts";
import { isGone, type Keydir } from "./keydir.ts";
import { LazySync } from "./lazy_sync.ts";
import { Maintenance } from "./maintenance.ts";
import type { OpenedLog } from "./open_log.ts";
import type { ResolvedOptions } from "./options.ts";
import { RecordEncoder } from "./record_encoder.ts";
import type {
  BatchOp,
  BatchOptions,
  DeleteOptions,
  KeyInput,
  SetOptions,
  ValueInput,
} from "./types.ts";
import {
  checkBatch,
  checkDeleteOptions,
  checkSetOptions,
  expiryOf,
  NO_CONDITIONS,
} from "./write_options.ts";
import { VisibilityBell } from "./visibility.ts";

/** What a store that takes writes has, and one opened for reading only has not. */
export class WritePath {
  readonly writer: LogWriter;
  readonly maintenance: Maintenance;
  /** Rings when writes became visible. */
  readonly bell = new VisibilityBell();
  /** Durability "immediate". */
  readonly commit: GroupCommit | undefined;
  readonly acknowledgement: Acknowledgement;
  /** Slows writes down while compaction is behind. */
  readonly backpressure: Backpressure;

  /** Durability { bytes, millis }. */
  #lazy: LazySync | undefined;
  #lock: FileLock;
  #active: ActiveFile;
  #keydir: Keydir;
  #clock: Clock;
  /** Where records are encoded before they are appended. */
  readonly encoder: RecordEncoder;
  #logger: Logger;
  #commands: CommandLog;

  constructor(options: ResolvedOptions, log: OpenedLog, lock: FileLock) {
    const { fileSystem: fs, clock, logger, observer, durability, segmentBytesMax } = options;
    const { directory, active, keydir } = log;
    this.#lock = lock;
    this.#active = active;
    this.#keydir = keydir;
    this.#clock = clock;
    this.#logger = logger;
    this.#commands = new CommandLog(logger);
    const writer = new LogWriter(
      {
        fs,
        directory,
        segments: keydir.segments,
        active,
        segmentBytesMax,
        keepsSpaceAhead: durability === "immediate",
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        onSync: observer?.onSync,
        onFailure: observer?.onWriteFailure,
        onSegmentClosed: (segment) => this.maintenance.hint(segment),
      },
      log.lsn,
      log.sealed,
    );
    this.writer = writer;
    this.backpressure = new Backpressure(clock, () => writer.bytesAppended);
    if (durability === "immediate") {
      this.commit = new GroupCommit(
        writer,
        keydir,
        clock,
        this.bell,
        () => this.maintenance.isBusy,
        this.backpressure,
      );
    } else this.#lazy = new LazySync(writer, durability, clock, logger, this.backpressure);
    this.acknowledgement = new Acknowledgement(this.commit, this.#lazy, this.bell);
    this.maintenance = new Maintenance({
      fs: new DirectoryWatch(fs, (error) => writer.noteLostNames(error)),
      directory,
      keydir,
      active,
      clock,
      logger,
      opened: log,
      checkpointRecordsMin: options.checkpointRecordsMin,
      onCompaction: observer?.onCompaction,
      thresholds: { ...options.compaction, segmentBytesMax },
      auto: options.compaction.auto,
      rotate: () => writer.rotate(),
      finishRotation: () => writer.finishRotation(),
      settle: () => this.flush(),
      makeVisibleDurable: async () => {
        await this.#lazy?.flush(); // A group commit shows nothing before it is durable.
        writer.assertWritable();
      },
      lsnVisible: () => this.lsnVisible,
      lsnDurable: () => writer.lsnDurable,
      bytesInFlight: () => this.commit?.setBytesInFlight ?? 0,
      backpressure: this.backpressure,
    });
    const { keyBytesMax, valueBytesMax } = options;
    this.encoder = new RecordEncoder(writer, keydir.index, keyBytesMax, valueBytesMax);
    if (!log.sealed) this.#sealRecovered();
    for (const segment of keydir.segments.ordered.slice(0, -1)) {
      if (segment.hintedLength === 0) this.maintenance.hint(segment);
    }
  }

  /** After a crash, says in the log that what was recovered is durable now, as it is. */
  #sealRecovered(): void {
    try {
      this.writer.seal();
    } catch (error) {
      this.writer.close();
      throw error;
    }
  }

  /** LSN up to which every record is visible. */
  get lsnVisible(): number {
    return this.commit?.lsnVisible ?? this.writer.lsnAppended;
  }

  /** LSN up to which every record counts as done by the store's durability. */
  get lsnAcknowledged(): number {
    return this.commit?.lsnVisible ?? this.#lazy!.lsnAdmitted;
  }

  /** Appends a set and returns its LSN. Throws before anything is appended, or not at all. */
  set(key: KeyInput, value: ValueInput, options: SetOptions | undefined): number {
    const { writer, encoder } = this;
    writer.assertWritable();
    const conditions = options === undefined ? NO_CONDITIONS : checkSetOptions(options);
    const expiresAt = options === undefined ? 0 : expiryOf(options, this.#clock);
    encoder.beginAt(writer.reserve(encoder.roomOfSet(key, value)), key);
    if (conditions !== NO_CONDITIONS) assertConditions(key, conditions, this.#currentVersion());
    const lsn = writer.takeLsn();
    encoder.finishSet(key, value, expiresAt, lsn);
    return this.appendOne(false, lsn, expiresAt, conditions.ifVersion !== null);
  }

  /** Appends a delete and returns its LSN; as {@link set}. */
  delete(key: KeyInput, options: DeleteOptions | undefined): number {
    const { writer, encoder } = this;
    writer.assertWritable();
    const conditions = options === undefined ? NO_CONDITIONS : checkDeleteOptions(options);
    encoder.beginAt(writer.reserve(encoder.room(key)), key);
    if (this.#currentVersion() === 0) {
      throw new KvError("NotFound", `Key ${showKey(key)} does not exist`);
    }
    if (conditions !== NO_CONDITIONS) assertConditions(key, conditions, this.#currentVersion());
    const lsn = writer.takeLsn();
    encoder.finishDelete(lsn);
    return this.appendOne(true, lsn, 0, false);
  }

  /** Appends a batch and returns the LSN of its last record; as {@link set}. */
  batch(ops: BatchOp[], options: BatchOptions = {}): number {
    const { writer, encoder } = this;
    writer.assertWritable();
    const { checks, expiries } = checkBatch(ops, options, this.#clock);
    const room = encoder.roomOfBatch(ops);
    for (const { key, version } of checks) {
      encoder.beginAt(writer.reserve(encoder.room(key)), key);
      const conditions = { ifAbsent: version === null, ifVersion: version };
      assertConditions(key, conditions, this.#currentVersion());
    }
    if (ops.length === 0) return writer.lsnAppended;
    return this.#encodeBatch(ops, expiries, room);
  }

  /**
   * Rejects with `error`, for which a write was refused. A condition may have failed because of a
   * write in flight, which readers do not see yet: it is waited for, or whoever reads and tries
   * again would do so for ever and let nothing else run.
   */
  async refuse(error: unknown): Promise<never> {
    if (isAboutState(error)) await this.settled();
    throw error;
  }

  /**
   * Resolves when what conditions have seen is durable and visible, so that something may be said
   * on the strength of it. Rejects if it may be lost instead.
   */
  async settled(): Promise<void> {
    if (this.commit === undefined) return;
    await this.commit.settled();
    this.writer.assertWritable();
  }

  /** As {@link refuse}, blocking. */
  refuseSync(error: unknown): never {
    if (isAboutState(error)) this.commit?.commitNow();
    throw error;
  }

  /** Resolves when everything appended so far is durable and visible. */
  async flush(): Promise<void> {
    await (this.commit?.settled() ?? this.#lazy!.flush());
    this.writer.assertWritable();
    await this.writer.rotated();
  }

  /** Resolves when everything acknowledged so far is durable. */
  async settleAcknowledged(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      // After a failed write, nothing was acknowledged but what is durable, if that is the policy.
      if (this.commit === undefined) throw error;
    }
  }

  /** As {@link flush}, blocking. */
  flushSync(): void {
    if (this.commit !== undefined) this.commit.commitNow();
    else this.#lazy!.flushSync();
    this.writer.assertWritable();
  }

  /** Finishes what is in flight, makes everything durable, and seals the log. */
  async close(): Promise<void> {
    const { writer, maintenance } = this;
    try {
      await maintenance.close();
      await this.commit?.settled();
      this.#lazy?.close();
      if (writer.failure === undefined) {
        await this.#lazy?.flush();
        await writer.rotated();
        writer.seal();
        this.#noteDurable();
        await maintenance.shortenNextOpening(writer.segment);
      } else if (this.#lazy !== undefined) {
        // Writes that were acknowledged before the failure may be lost: somebody has to be told.
        throw writer.failure;
      }
    } finally {
      writer.close();
      this.#lock.release();
    }
  }

  /** Appends the record that the encoder holds, which is not part of a batch; returns its LSN. */
  appendOne(isDelete: boolean, lsn: number, expiresAt: number, replaces: boolean): number {
    const { encoder } = this;
    encoder.at = this.writer.placeRecords(encoder.at, encoder.frameLength);
    this.#append(isDelete, lsn, expiresAt, replaces);
    this.#noteAppended(encoder.frameLength);
    return lsn;
  }

  /**
   * Appends the record that the encoder holds, and makes it visible if it need not be durable.
   * `replaces` says that a condition found the key there.
   */
  #append(isDelete: boolean, lsn: number, expiresAt: number, replaces: boolean): void {
    const { writer, commit, encoder } = this;
    const { at, frameLength, crc } = encoder;
    const offset = writer.appendRecord(at, frameLength, lsn, crc);
    const { segment } = writer;
    if (isDelete) segment.tombstoneBytes += frameLength;
    if (this.#commands.enabled) {
      this.#commands.note(isDelete ? "delete" : "set", lsn, segment.fileId, offset, frameLength);
    }
    if (commit !== undefined) {
      commit.add(encoder, isDelete, offset, lsn, expiresAt, replaces);
    } else {
      const { bytes } = writer.buffer;
      const { hash, keyStart, keyLength } = encoder;
      if (isDelete) this.#keydir.delete(hash, bytes, keyStart, keyLength);
      else {
        const expiresAtBefore = this.#keydir.set(
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
        this.acknowledgement.created = !replaces && isGone(expiresAtBefore, this.#clock);
      }
    }
  }

  /** Not worth failing for on a full disk: everything is durable whether or not this is noted. */
  #noteDurable(): void {
    try {
      this.#active.noteDurable(this.#keydir.segments.ordered);
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "NoSpace") throw error;
      this.#logger.warn("Noting the length of the log failed: {error}", { error });
    }
  }

  /** Lets those who act on amounts know; never in the midst of a batch, whose frames lie together. */
  #noteAppended(byteLength: number): void {
    if (this.#lazy !== undefined) {
      if (this.writer.tail?.hides === true) this.#writeOutHidden();
      this.#lazy.noteAppended(byteLength);
      this.bell.ring();
    }
    this.maintenance.note(byteLength);
  }

  /** Lets other threads read what is visible already, but too long for them to be read before. */
  #writeOutHidden(): void {
    try {
      this.writer.writeOut();
    } catch {
      // What was appended stands, as it does when a later fsync fails; the next write is told.
    }
  }

  #encodeBatch(ops: BatchOp[], expiries: Float64Array, room: number): number {
    const { writer, encoder } = this;
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
      encoder.at = at;
      encoder.hash = frame.hash;
      encoder.keyLength = frame.keyLength;
      encoder.frameLength = frame.frameLength;
      encoder.crc = frame.crc;
      this.#append(ops[index]!.op === "del", firstLsn + index, expiries[index]!, false);
      at += frame.frameLength;
    });
    this.#noteAppended(byteLength);
    return firstLsn + count - 1;
  }

  /** The version of the encoder's key, writes in flight included; 0 if it does not exist. */
  #currentVersion(): number {
    const { writer, commit } = this;
    const { hash, keyStart, keyLength } = this.encoder;
    const { bytes } = writer.buffer;
    const pending = commit?.find(hash, bytes, keyStart, keyLength);
    if (pending !== undefined) {
      const { isDelete, expiresAt, lsn } = pending;
      const gone = isDelete || (expiresAt !== 0 && expiresAt <= this.#clock.now());
      return gone ? 0 : lsn;
    }
    const { index } = this.#keydir;
    const address = index.find(hash, bytes, keyStart, keyLength);
    if (address === 0 || this.#keydir.isExpired(address, this.#clock)) return 0;
    return index.lsn(address);
  }
}
