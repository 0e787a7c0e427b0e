/**
 * Group commit, for durability "immediate": all writes that arrive while one fsync runs share the
 * next. A write becomes visible, and is acknowledged, when the fsync that covers it has returned.
 */

import { assert } from "../assert.ts";
import type { Clock } from "../clock.ts";
import type { LogWriter } from "../log/log_writer.ts";
import type { Backpressure } from "./backpressure.ts";
import type { RecordEncoder } from "./record_encoder.ts";
import { isGone, type Keydir } from "./keydir.ts";
import type { SetResult, WriteResult } from "./types.ts";
import type { VisibilityBell } from "./visibility.ts";
import { hasKey, type PendingWrite, WriteGroup, type WriteListener } from "./write_group.ts";

/** An fsync as fast as this may block the event loop: another thread would take longer to ask. */
const BLOCKING_SYNC_MS_MAX = 1;
/** Over about so many fsyncs is averaged how fast they are, to block for one that several wait for. */
const SYNCS_AVERAGED = 16;
/** In that average, one takes so long at most: a stall now and then does not make a disk slow. */
const AVERAGED_SYNC_MS_MAX = 4;
/** Writes that may be about to come are waited for so long at most, however slow the disk has been. */
const GATHERING_MS_MAX = 2;
/** So many turns of the event loop in a row that bring none are enough. */
const EMPTY_TURNS_MAX = 8;
/** A turn that brings this part of what a group has, or more, may be followed by another such. */
const GROWTH_MIN = 1 / 16;
/** So many writes are looked up together: few enough that the cache keeps what was read for all. */
const WRITES_TOUCHED = 128;
/** More than this takes the disk longer than usual, however fast it is. */
const BLOCKING_SYNC_BYTES_MAX = 256 << 10;

/** Somebody who waits until everything up to an LSN is visible. */
interface Waiter {
  lsn: number;
  resolve: () => void;
}

/** Collects writes and makes them durable together. */
export class GroupCommit {
  /** Bytes of sets that are in the log and not yet visible. */
  setBytesInFlight = 0;

  #writer: LogWriter;
  #keydir: Keydir;
  #clock: Clock;
  #bell: VisibilityBell;
  /** Writes that the next fsync will cover. */
  #filling = new WriteGroup();
  /** Writes that the running fsync covers; empty while none runs. */
  #flying = new WriteGroup();
  /** The newest write of each hash among those up to `#lsnMapped`: most writes nobody looks for. */
  #newestOfHash = new Map<number, PendingWrite>();
  #lsnMapped: number;
  #running = false;
  #waiters: Waiter[] = [];
  #lsnVisible: number;
  /** How long the last fsync took. A new disk is trusted with one write. */
  #lastSyncMs = 0;
  /** How long one takes of late. A new disk is slow until it has shown that it is not. */
  #averageSyncMs = AVERAGED_SYNC_MS_MAX;
  /** How long a group may gather: as long as the last fsync took, within bounds. */
  #gatheringMs = 0;
  /** Since when writes gather for the next fsync, and how many had at the last look. */
  #gatheringSince = 0;
  #gathered = 0;
  /** Turns of the event loop in a row that brought none. */
  #emptyTurns = 0;
  /** How many there will be if everybody who wrote before writes again. */
  #expected = 0;
  #isDiskBusy: () => boolean;
  #backpressure: Backpressure;
  /** What the next group waits for, if compaction holds it. */
  #held: Promise<void> | undefined;
  #onTurn = () => this.#commit();

  /** `isDiskBusy` tells whether something else has the disk write large amounts. */
  constructor(
    writer: LogWriter,
    keydir: Keydir,
    clock: Clock,
    bell: VisibilityBell,
    isDiskBusy: () => boolean,
    backpressure: Backpressure,
  ) {
    this.#writer = writer;
    this.#keydir = keydir;
    this.#clock = clock;
    this.#bell = bell;
    this.#isDiskBusy = isDiskBusy;
    this.#backpressure = backpressure;
    this.#lsnVisible = writer.lsnAppended;
    this.#lsnMapped = writer.lsnAppended;
  }

  /** LSN up to which all writes are visible. */
  get lsnVisible(): number {
    return this.#lsnVisible;
  }

  /** Writes accepted but not yet acknowledged. */
  get size(): number {
    return this.#filling.writes.length + this.#flying.writes.length;
  }

  /** The newest write in flight of this key, if any. */
  find(hash: number, bytes: Uint8Array, start: number, length: number): PendingWrite | undefined {
    this.#mapWrites(this.#flying);
    this.#mapWrites(this.#filling);
    let write = this.#newestOfHash.get(hash);
    // A chain may end in writes that are visible by now, whose keys are no longer kept.
    while (write !== undefined && write.lsn > this.#lsnVisible) {
      if (hasKey(write, bytes, start, length)) return write;
      write = write.previousOfHash;
    }
    return undefined;
  }

  /** Takes a record that was appended to the log at `offset`. */
  add(
    encoded: RecordEncoder,
    isDelete: boolean,
    offset: number,
    lsn: number,
    expiresAt: number,
    replaces: boolean,
  ): void {
    const group = this.#filling;
    const { hash, keyLength } = encoded;
    group.addHash(hash);
    const write: PendingWrite = {
      group,
      keyStart: group.addKey(this.#writer.buffer.bytes, encoded.keyStart, keyLength),
      keyLength,
      hash,
      isDelete,
      segment: this.#writer.segment,
      offset,
      frameLength: encoded.frameLength,
      crc: encoded.crc,
      lsn,
      expiresAt,
      previousOfHash: undefined,
      replaces,
      created: false,
      listener: undefined,
    };
    group.writes.push(write);
    if (!isDelete) this.setBytesInFlight += encoded.frameLength;
  }

  /** Has `listener` told what becomes of the write added last. */
  tell(listener: WriteListener): void {
    this.#newest().listener = listener;
    this.#start();
  }

  /** Resolves once the write added last is durable and visible. */
  acknowledged(): Promise<WriteResult> {
    return new Promise((resolve, failed) =>
      this.tell({ written: (version) => resolve({ version }), failed })
    );
  }

  /** As {@link acknowledged}, of a set that stands alone. */
  acknowledgedSet(): Promise<SetResult> {
    return new Promise((resolve, failed) =>
      this.tell({ written: (version, created) => resolve({ version, created }), failed })
    );
  }

  /** As {@link acknowledgedSet}, blocking. */
  acknowledgedSetSync(): SetResult {
    const write = this.#newest();
    this.commitNow();
    return { version: write.lsn, created: write.created };
  }

  /** Makes everything in flight durable and visible before it returns. */
  commitNow(): void {
    if (this.size === 0) return;
    try {
      this.#writer.sync();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    this.#publish(this.#flying);
    this.#publish(this.#filling);
  }

  /** Resolves when what was added before the call is visible, or has failed. */
  settled(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    this.#start();
    if (this.#held !== undefined) {
      // Compaction may be who asks, and the group waits for it.
      this.#held = undefined;
      this.#clock.defer(this.#onTurn);
    }
    const lsn = this.#writer.lsnAppended;
    return new Promise((resolve) => this.#waiters.push({ lsn, resolve }));
  }

  /** Sees to it that everything added becomes durable, or fails; the bell tells when. */
  commitSoon(): void {
    this.#start();
  }

  #newest(): PendingWrite {
    const write = this.#filling.writes.at(-1);
    assert(write !== undefined, "a write was added");
    return write;
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#gather();
  }

  /** Has the next group committed when the writes that are about to come had a chance to join it. */
  #gather(): void {
    this.#gatheringSince = this.#clock.monotonic();
    this.#gathered = this.#filling.writes.length;
    this.#emptyTurns = 0;
    this.#clock.defer(this.#onTurn);
  }

  #commit(): void {
    const count = this.#filling.writes.length;
    if (count === 0) {
      // Blocking writes have taken them along.
      this.#running = false;
      return;
    }
    const grown = count - this.#gathered;
    if (grown > 0) this.#emptyTurns = 0;
    else this.#emptyTurns++;
    const mayGrow = grown > 0 ||
      (count < this.#expected && this.#emptyTurns < EMPTY_TURNS_MAX);
    // What brings so many is worth as long as it takes.
    const millisMax = grown >= count * GROWTH_MIN ? GATHERING_MS_MAX : this.#gatheringMs;
    if (mayGrow && this.#clock.monotonic() - this.#gatheringSince < millisMax) {
      // One turn of the event loop brought several, so the next one may, too; and those that were
      // acknowledged last may write again. To wait for them as long as an fsync takes costs less than
      // another fsync; but longer it would keep the event loop busy, and those who are there waiting.
      this.#gathered = count;
      this.#clock.defer(this.#onTurn);
      return;
    }
    if (this.#backpressure.isOn && this.#hold()) return;
    this.#commitGathered();
  }

  /** Has the group wait for compaction, if it must and nobody waits for everything in flight. */
  #hold(): boolean {
    const admission = this.#waiters.length > 0 ? undefined : this.#backpressure.admission();
    if (admission === undefined) return false;
    this.#held = admission;
    void admission.then(() => {
      // A group that did not have to wait to the end may be followed by one that has to.
      if (this.#held !== admission) return;
      this.#held = undefined;
      this.#commitGathered();
    });
    return true;
  }

  #commitGathered(): void {
    const count = this.#filling.writes.length;
    if (count === 0) {
      this.#running = false;
      return;
    }
    this.#expected = count;
    const group = this.#filling;
    this.#filling = this.#flying;
    this.#flying = group;
    if (this.#mayBlock(count)) this.#commitBlocking(group);
    else void this.#commitPooled(group);
  }

  /** Whether to block for an fsync that so many writes wait for: then nothing else runs meanwhile. */
  #mayBlock(count: number): boolean {
    const syncMs = count > 1 ? this.#averageSyncMs : this.#lastSyncMs;
    if (syncMs > BLOCKING_SYNC_MS_MAX || this.#isDiskBusy()) return false;
    // It would have to begin the new segment first, which takes several.
    if (this.#writer.closing !== undefined) return false;
    return this.#writer.bytesInFlight <= BLOCKING_SYNC_BYTES_MAX;
  }

  #commitBlocking(group: WriteGroup): void {
    const begin = this.#clock.monotonic();
    try {
      this.#writer.sync();
    } catch (error) {
      this.#running = false;
      this.#fail(error);
      return;
    }
    this.#noteSyncMs(this.#clock.monotonic() - begin);
    this.#finish(group);
  }

  async #commitPooled(group: WriteGroup): Promise<void> {
    const begin = this.#clock.monotonic();
    const isFirstOfSegment = this.#writer.closing !== undefined;
    try {
      await this.#writer.syncPooled();
    } catch (error) {
      this.#running = false;
      this.#fail(error);
      return;
    }
    // What it waited for there says nothing of how fast the disk is.
    if (!isFirstOfSegment) this.#noteSyncMs(this.#clock.monotonic() - begin);
    this.#finish(group);
  }

  #finish(group: WriteGroup): void {
    this.#publish(group);
    // Those that were just acknowledged may write again, and join the next group.
    this.#expected += this.#filling.writes.length;
    if (this.#filling.writes.length > 0) this.#gather();
    else this.#running = false;
  }

  #noteSyncMs(ms: number): void {
    this.#gatheringMs = Math.min(ms, GATHERING_MS_MAX);
    this.#lastSyncMs = ms;
    const averaged = Math.min(ms, AVERAGED_SYNC_MS_MAX);
    this.#averageSyncMs += (averaged - this.#averageSyncMs) / SYNCS_AVERAGED;
  }

  /** Makes the writes of a group known to {@link find}. */
  #mapWrites({ writes }: WriteGroup): void {
    if (writes.length === 0) return;
    // Their LSNs ascend by one.
    for (let at = Math.max(0, this.#lsnMapped + 1 - writes[0]!.lsn); at < writes.length; at++) {
      const write = writes[at]!;
      write.previousOfHash = this.#newestOfHash.get(write.hash);
      this.#newestOfHash.set(write.hash, write);
      this.#lsnMapped = write.lsn;
    }
  }

  /** Makes the writes of a durable group visible, in the order of the log, and acknowledges them. */
  #publish(group: WriteGroup): void {
    const { writes, keys } = group;
    for (let at = 0; at < writes.length; at++) {
      const write = writes[at]!;
      // Where many keys lie in memory is asked for at once: one after the other, each is waited for.
      if (at % WRITES_TOUCHED === 0 && at + 1 < writes.length) {
        this.#keydir.touch(group.hashes, at, Math.min(at + WRITES_TOUCHED, writes.length));
      }
      const { hash, keyStart, keyLength } = write;
      if (write.isDelete) {
        this.#keydir.delete(hash, keys, keyStart, keyLength);
      } else {
        this.setBytesInFlight -= write.frameLength;
        const expiresAtBefore = this.#keydir.set(
          hash,
          keys,
          keyStart,
          keyLength,
          write.segment,
          write.offset,
          write.frameLength,
          write.crc,
          write.lsn,
          write.expiresAt,
        );
        write.created = !write.replaces && isGone(expiresAtBefore, this.#clock);
      }
      this.#lsnVisible = write.lsn;
      if (write.lsn > this.#lsnMapped) continue;
      if (this.#newestOfHash.get(hash) === write) this.#newestOfHash.delete(hash);
      // Older writes of the hash are published already: the chain need not keep them alive.
      write.previousOfHash = undefined;
    }
    group.clear();
    for (const { lsn, created, listener } of writes) listener?.written(lsn, created);
    while (this.#waiters.length > 0 && this.#waiters[0]!.lsn <= this.#lsnVisible) {
      this.#waiters.shift()!.resolve();
    }
    this.#bell.ring();
  }

  #fail(error: unknown): void {
    const writes = [...this.#flying.writes, ...this.#filling.writes];
    this.#flying.clear();
    this.#filling.clear();
    this.#newestOfHash.clear();
    this.#lsnMapped = this.#writer.lsnAppended;
    for (const { listener } of writes) listener?.failed(error);
    for (const { resolve } of this.#waiters.splice(0)) resolve();
    this.#bell.ring(); // for those who look for the failure themselves
  }
}
