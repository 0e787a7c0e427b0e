/**
 * Group commit, for durability "immediate": all writes that arrive while one fsync runs share the
 * next. A write becomes visible, and is acknowledged, when the fsync that covers it has returned.
 */

import { assert } from "../assert.ts";
import type { Clock } from "../clock.ts";
import type { LogWriter } from "../log/log_writer.ts";
import type { Segment } from "../log/segment.ts";
import type { RecordEncoder } from "./record_encoder.ts";
import { isGone, type Keydir } from "./keydir.ts";
import type { SetResult, WriteResult } from "./types.ts";
import type { VisibilityBell } from "./visibility.ts";

const KEYS_BYTES = 16 * 1024;
/** An fsync as fast as this may block the event loop when only one write waits for it. */
const BLOCKING_SYNC_MS_MAX = 1;
const SYNC_TIME_WEIGHT = 0.1;

/** Writes that share an fsync, with their keys side by side in one buffer. */
class WriteGroup {
  writes: PendingWrite[] = [];
  keys = new Uint8Array(KEYS_BYTES);
  keysUsed = 0;

  /** Copies a key in and returns where it begins. */
  addKey(bytes: Uint8Array, start: number, length: number): number {
    const at = this.keysUsed;
    if (at + length > this.keys.length) {
      const larger = new Uint8Array(Math.max(this.keys.length * 2, at + length));
      larger.set(this.keys.subarray(0, at));
      this.keys = larger;
    }
    this.keys.set(bytes.subarray(start, start + length), at);
    this.keysUsed = at + length;
    return at;
  }

  clear(): void {
    this.writes = [];
    this.keysUsed = 0;
    if (this.keys.length > 64 * KEYS_BYTES) this.keys = new Uint8Array(KEYS_BYTES);
  }
}

/** A record in the log that is not yet durable. */
export interface PendingWrite {
  group: WriteGroup;
  keyStart: number;
  keyLength: number;
  hash: number;
  isDelete: boolean;
  segment: Segment;
  offset: number;
  frameLength: number;
  crc: number;
  lsn: number;
  expiresAt: number;
  /** The write before this one, in flight as well, whose key has the same hash. */
  previousOfHash: PendingWrite | undefined;
  /** Whether it was accepted because its key existed, which has no say in it any more if it expires. */
  replaces: boolean;
  /** Whether its key did not exist before it; known once it is visible. */
  created: boolean;
  /** Whether whoever waits for it is to be told so. */
  tellsCreated: boolean;
  resolve: ((result: WriteResult | SetResult) => void) | undefined;
  reject: ((error: unknown) => void) | undefined;
}

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
  #newestOfHash = new Map<number, PendingWrite>();
  #running = false;
  #waiters: Waiter[] = [];
  #lsnVisible: number;
  #syncMs = 0;

  constructor(writer: LogWriter, keydir: Keydir, clock: Clock, bell: VisibilityBell) {
    this.#writer = writer;
    this.#keydir = keydir;
    this.#clock = clock;
    this.#bell = bell;
    this.#lsnVisible = writer.lsnAppended;
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
  find(
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): PendingWrite | undefined {
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
      previousOfHash: this.#newestOfHash.get(hash),
      replaces,
      created: false,
      tellsCreated: false,
      resolve: undefined,
      reject: undefined,
    };
    group.writes.push(write);
    if (!isDelete) this.setBytesInFlight += encoded.frameLength;
    this.#newestOfHash.set(hash, write);
  }

  /** Resolves once the write added last is durable and visible. */
  acknowledged(): Promise<WriteResult> {
    const write = this.#newest();
    this.#start();
    return new Promise((resolve, reject) => {
      write.resolve = resolve;
      write.reject = reject;
    });
  }

  /** As {@link acknowledged}, of a set that stands alone. */
  acknowledgedSet(): Promise<SetResult> {
    const write = this.#newest();
    write.tellsCreated = true;
    this.#start();
    return new Promise((resolve, reject) => {
      write.resolve = resolve as PendingWrite["resolve"];
      write.reject = reject;
    });
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
    const lsn = this.#writer.lsnAppended;
    return new Promise((resolve) => this.#waiters.push({ lsn, resolve }));
  }

  #newest(): PendingWrite {
    const write = this.#filling.writes.at(-1);
    assert(write !== undefined, "a write was added");
    return write;
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    // Not at once: whoever else is about to write in this turn of the event loop shares the fsync.
    this.#clock.defer(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#filling.writes.length > 0) {
      const group = this.#filling;
      this.#filling = this.#flying;
      this.#flying = group;
      try {
        await this.#sync(group.writes.length);
      } catch (error) {
        this.#fail(error);
        break;
      }
      this.#publish(group);
      if (this.#filling.writes.length === 0) break;
      // Let those that were just acknowledged write again, and join the next group.
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
    }
    this.#running = false;
    if (this.#filling.writes.length > 0) this.#start();
  }

  async #sync(waiting: number): Promise<void> {
    if (waiting > 1 || this.#syncMs > BLOCKING_SYNC_MS_MAX) {
      const before = this.#clock.monotonic();
      await this.#writer.syncPooled();
      this.#noteSyncMs(this.#clock.monotonic() - before);
      return;
    }
    const before = this.#clock.monotonic();
    this.#writer.sync();
    this.#noteSyncMs(this.#clock.monotonic() - before);
  }

  #noteSyncMs(ms: number): void {
    this.#syncMs += SYNC_TIME_WEIGHT * (ms - this.#syncMs);
  }

  /** Makes the writes of a durable group visible, in the order of the log, and acknowledges them. */
  #publish(group: WriteGroup): void {
    const { writes, keys } = group;
    for (const write of writes) {
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
      if (this.#newestOfHash.get(hash) === write) this.#newestOfHash.delete(hash);
      // Older writes of the hash are published already: the chain need not keep them alive.
      write.previousOfHash = undefined;
    }
    group.clear();
    for (const { lsn, created, tellsCreated, resolve } of writes) {
      resolve?.(tellsCreated ? { version: lsn, created } : { version: lsn });
    }
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
    for (const write of writes) write.reject?.(error);
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }
}

function hasKey(
  write: PendingWrite,
  bytes: Uint8Array,
  start: number,
  length: number,
): boolean {
  if (write.keyLength !== length) return false;
  const { keys } = write.group;
  for (let index = 0; index < length; index++) {
    if (keys[write.keyStart + index] !== bytes[start + index]) return false;
  }
  return true;
}
