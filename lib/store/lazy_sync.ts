/**
 * Durability `{ bytes, millis }`: writes are acknowledged at once, and an fsync follows after so
 * many bytes or milliseconds, in the background. While one runs, at most `bytes` more may gather;
 * then writers wait for it, so that a crash never loses more than twice `bytes`.
 */

import type { Clock, ScheduledTask } from "../clock.ts";
import type { LogWriter } from "../log/log_writer.ts";
import type { Logger } from "../telemetry/logger.ts";

/** Syncs a log every so often. */
export class LazySync {
  #writer: LogWriter;
  #clock: Clock;
  #logger: Logger;
  #bytesMax: number;
  #delayMs: number;
  #bytesPending = 0;
  #timer: ScheduledTask | undefined;
  #running: Promise<void> | undefined;

  constructor(
    writer: LogWriter,
    durability: { bytes: number; millis: number },
    clock: Clock,
    logger: Logger,
  ) {
    this.#writer = writer;
    this.#clock = clock;
    this.#logger = logger;
    this.#bytesMax = durability.bytes;
    this.#delayMs = durability.millis;
  }

  /** Takes note of a record that was appended. */
  noteAppended(byteLength: number): void {
    this.#bytesPending += byteLength;
    if (this.#bytesPending >= this.#bytesMax) {
      if (this.#running === undefined) void this.#sync();
    } else if (this.#timer === undefined && this.#running === undefined) this.#arm();
  }

  /** The fsync to wait for before more is written, if too much has gathered. */
  get backpressure(): Promise<void> | undefined {
    return this.#bytesPending >= this.#bytesMax ? this.#running : undefined;
  }

  /** As waiting for {@link backpressure}, but blocking. */
  blockUnderPressure(): void {
    if (this.#bytesPending >= this.#bytesMax && this.#running !== undefined) this.flushSync();
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
    this.#writer.sync();
    this.#bytesPending = 0;
  }

  /** Stops the timer. */
  close(): void {
    this.#disarm();
  }

  #sync(): Promise<void> {
    this.#disarm();
    this.#bytesPending = 0;
    this.#running = this.#writer.syncPooled().catch((error) => {
      this.#logger.error("Syncing the log failed, no more writes are taken: {error}", { error });
    }).finally(() => {
      this.#running = undefined;
      if (this.#writer.failure !== undefined) return;
      if (this.#bytesPending >= this.#bytesMax) void this.#sync();
      else if (this.#bytesPending > 0) this.#arm();
    });
    return this.#running;
  }

  #arm(): void {
    this.#timer = this.#clock.schedule(this.#delayMs, () => {
      this.#timer = undefined;
      if (this.#running === undefined && this.#writer.failure === undefined) void this.#sync();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
