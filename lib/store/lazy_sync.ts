/**
 * Durability `{ bytes, millis }`: writes are acknowledged at once, and an fsync follows after so
 * many bytes or milliseconds, in the background. What was acknowledged and is not yet durable never
 * exceeds twice `bytes`: writes beyond that wait for the fsync that makes room.
 */

import type { Clock, ScheduledTask } from "../clock.ts";
import type { LogWriter } from "../log/log_writer.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Backpressure } from "./backpressure.ts";

/**
 * A segment that is being closed has no more to sync than about this, or than came meanwhile: until
 * it is, what is appended waits in memory.
 */
const CLOSING_BYTES_MAX = 512 << 10;

/** A write that waits to be acknowledged, by its position in the sequence of appended bytes. */
interface Waiter {
  position: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Syncs a log every so often. */
export class LazySync {
  /** The newest record that {@link admit} was told of and that counts as acknowledged. */
  lsnAdmitted: number;

  #writer: LogWriter;
  #clock: Clock;
  #logger: Logger;
  #backpressure: Backpressure;
  #bytesMax: number;
  #delayMs: number;
  /** Bytes appended since opening, and how many of them are durable. */
  #appended = 0;
  #durable = 0;
  /** Where the running fsync, or else the last one, began: what came later is for the next. */
  #syncStart = 0;
  /** When the first byte behind `#syncStart` was appended. */
  #firstPendingAt = 0;
  #waiters: Waiter[] = [];
  #timer: ScheduledTask | undefined;
  #running: Promise<void> | undefined;

  constructor(
    writer: LogWriter,
    durability: { bytes: number; millis: number },
    clock: Clock,
    logger: Logger,
    backpressure: Backpressure,
  ) {
    this.#writer = writer;
    this.#clock = clock;
    this.#logger = logger;
    this.#backpressure = backpressure;
    this.#bytesMax = durability.bytes;
    this.#delayMs = durability.millis;
    this.lsnAdmitted = writer.lsnAppended;
  }

  /** Takes note of records that were appended. */
  noteAppended(byteLength: number): void {
    if (this.#appended === this.#syncStart) this.#firstPendingAt = this.#clock.monotonic();
    this.#appended += byteLength;
    if (this.#running === undefined) this.#plan();
  }

  /** Resolves when what was appended may be acknowledged; undefined if that is now. */
  admitted(): Promise<void> | undefined {
    const { isCongested } = this.#writer;
    if (isCongested) void this.#admitWhenRotated();
    const room = this.#hasRoom(this.#appended) && !isCongested ? undefined : this.#roomLater();
    return this.#backpressure.isOn ? this.#withBackpressure(room) : room;
  }

  /** As {@link admitted}, of the record `lsn` that was appended last; `ring` tells when it is later. */
  admit(lsn: number, ring: () => void): void {
    const admitted = this.admitted();
    if (admitted === undefined) this.lsnAdmitted = lsn;
    else {
      admitted.then(() => {
        this.lsnAdmitted = Math.max(this.lsnAdmitted, lsn);
        ring();
      }, ring);
    }
  }

  /** As {@link admitted}, blocking. */
  admitSync(): void {
    if (!this.#hasRoom(this.#appended)) this.flushSync();
  }

  /** Makes durable what was appended before the call; what comes meanwhile is not waited for. */
  async flush(): Promise<void> {
    const lsn = this.#writer.lsnAppended;
    while (this.#writer.lsnDurable < lsn) {
      // What a running fsync covers was fixed when it began, so another may have to follow.
      await (this.#running ?? this.#sync());
      this.#writer.assertWritable();
    }
  }

  /** As {@link flush}, but blocking. */
  flushSync(): void {
    this.#disarm();
    try {
      this.#writer.sync();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    this.#syncStart = this.#appended;
    this.#noteDurable(this.#appended);
  }

  /** Stops the timer. */
  close(): void {
    this.#disarm();
  }

  #roomLater(): Promise<void> {
    const position = this.#appended;
    return new Promise((resolve, reject) => this.#waiters.push({ position, resolve, reject }));
  }

  #withBackpressure(room: Promise<void> | undefined): Promise<void> | undefined {
    const admission = this.#backpressure.admission();
    if (admission === undefined) return room;
    return Promise.all([room, admission]).then(() => this.#writer.assertWritable());
  }

  /** Nobody syncs what waits for a new segment before that is begun: so nobody else tells of it. */
  async #admitWhenRotated(): Promise<void> {
    try {
      await this.#writer.rotated();
      this.#noteDurable(this.#durable);
    } catch (error) {
      this.#rejectAll(error);
    }
  }

  /** Whether everything up to `position` may count as acknowledged. */
  #hasRoom(position: number): boolean {
    return position - this.#durable <= 2 * this.#bytesMax;
  }

  /** Syncs now, or sees to it that it happens in time. */
  #plan(): void {
    const { failure } = this.#writer;
    if (failure !== undefined) return this.#rejectAll(failure);
    const pending = this.#appended - this.#syncStart;
    if (pending === 0) return;
    // The last fsync of a segment should be short. So towards the end they come more often.
    const closing = Math.max(CLOSING_BYTES_MAX, this.#writer.bytesUntilRotation);
    if (pending >= this.#bytesMax || this.#writer.bytesInFlight >= closing) void this.#sync();
    else if (this.#timer === undefined) this.#arm();
  }

  #sync(): Promise<void> {
    this.#disarm();
    const position = this.#appended;
    this.#syncStart = position;
    this.#running = this.#writer.syncPooled().then(
      () => this.#noteDurable(position),
      (error) => this.#fail(error),
    ).finally(() => {
      this.#running = undefined;
      this.#plan();
    });
    return this.#running;
  }

  #noteDurable(position: number): void {
    this.#durable = Math.max(this.#durable, position);
    const waiting = this.#waiters.findIndex(({ position }) => !this.#hasRoom(position));
    const admitted = this.#waiters.splice(0, waiting < 0 ? this.#waiters.length : waiting);
    for (const { resolve } of admitted) resolve();
  }

  #fail(error: unknown): void {
    this.#logger.error("Syncing the log failed, no more writes are taken: {error}", { error });
    this.#rejectAll(error);
  }

  #rejectAll(error: unknown): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  #arm(): void {
    const delayMs = this.#delayMs - (this.#clock.monotonic() - this.#firstPendingAt);
    this.#timer = this.#clock.schedule(Math.max(0, delayMs), () => {
      this.#timer = undefined;
      const { failure } = this.#writer;
      // A segment that could not be begun, perhaps: nobody waits for that but what is to be synced.
      if (failure !== undefined) this.#fail(failure);
      else if (this.#running === undefined) void this.#sync();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
