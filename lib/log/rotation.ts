/**
 * What the disk has to do while one segment is closed and the next begun: one step after the other,
 * in an order in which a crash between any two leaves a sound log, and without blocking the event
 * loop. Whoever cannot wait has the rest done at once, blocking.
 *
 * Until it is over, the next segment is nothing but its header: frames for it stay in memory.
 */

import { SEGMENT_FRAME_BYTES } from "../format/control_record.ts";
import { syncDirectoryPatiently } from "../fs/durable.ts";
import type { LogWriterContext } from "./log_writer_context.ts";
import { PooledSync } from "./pooled_sync.ts";
import type { Segment } from "./segment.ts";
import { beginSegment, giveUpSegment } from "./segment_file.ts";

/** Makes the closed segment durable to its end: it may be called closed only then. */
const CLOSE = 0;
/** Makes the header of the next one durable. */
const BEGIN = 1;
/** Makes its name durable: ACTIVE may name it only then. */
const NAME = 2;
/** Replaces ACTIVE: something may be written behind the header only then. */
const ACTIVATE = 3;
const OVER = 4;

/** A segment that is or was appended to. */
export interface AppendedSegment {
  segment: Segment;
  /** For its fsyncs through the thread pool. */
  pooled: PooledSync;
}

/** Creates the file of the next segment, with its header; nothing of it is durable yet. */
export function beginNextSegment(context: LogWriterContext, firstLsn: number): AppendedSegment {
  const { fs, directory, active, now } = context;
  const segment = beginSegment(fs, directory, {
    fileId: active.takeFileId(),
    compacted: false,
    createdAt: now(),
    nodeId: active.nodeId,
    firstLsn,
  });
  try {
    return { segment, pooled: new PooledSync(fs, segment.file.path) };
  } catch (error) {
    giveUpSegment(fs, segment.file);
    throw error;
  }
}

/** Who is told of a rotation, and asked. */
export interface RotationListener {
  /** Whether a write or fsync has failed: then nothing may be built upon what was written. */
  hasFailed: () => boolean;
  /** The closed segment is durable to its end. */
  onClosed: () => void;
  /** All is done. */
  onOver: () => void;
}

/** A segment being closed, and the next one begun. */
export class Rotation {
  readonly #context: LogWriterContext;
  readonly #closing: AppendedSegment;
  readonly #next: AppendedSegment;
  readonly #listener: RotationListener;
  #step = CLOSE;

  /** `closing` must be written to its end, and `next` be part of the set of segments. */
  constructor(
    context: LogWriterContext,
    closing: AppendedSegment,
    next: AppendedSegment,
    listener: RotationListener,
  ) {
    this.#context = context;
    this.#closing = closing;
    this.#next = next;
    this.#listener = listener;
  }

  /** The segment that is being closed. */
  get closing(): Segment {
    return this.#closing.segment;
  }

  /**
   * Does one step after the other without blocking the event loop. Throws what the disk does, also
   * if {@link finish} was quicker: that a second fsync went well makes up for nothing.
   */
  async run(): Promise<void> {
    while (this.#step !== OVER) {
      const step = this.#step;
      await this.#takePatiently(step);
      if (!this.#isAt(step)) return;
      this.#advance();
    }
  }

  /**
   * Does the rest at once. What is running meanwhile in the thread pool, on another descriptor, is
   * done again; it has not failed, as far as anybody knows.
   */
  finish(): void {
    while (this.#step !== OVER) {
      this.#take(this.#step);
      this.#advance();
    }
  }

  /** Gives up, after a failure. */
  close(): void {
    this.#step = OVER;
    this.#closing.pooled.close();
  }

  /** Whether a step is still this side's to take: nobody has finished meanwhile, and nothing failed. */
  #isAt(step: number): boolean {
    return this.#step === step && !this.#listener.hasFailed();
  }

  async #takePatiently(step: number): Promise<void> {
    const { fs, directory, segments, active } = this.#context;
    const { pooled } = this.#closing;
    if (step === CLOSE) {
      // An fsync that was running when the segment ended covers a part of it only.
      await pooled.idle();
      if (this.#isAt(step)) await pooled.sync();
    } else if (step === BEGIN) {
      await this.#next.pooled.sync();
    } else if (step === NAME) {
      await syncDirectoryPatiently(fs, directory);
    } else {
      await active.replaceAsync(segments.ordered, () => this.#isAt(step));
    }
  }

  #take(step: number): void {
    const { fs, directory, segments, active } = this.#context;
    if (step === CLOSE) this.#closing.segment.file.sync();
    else if (step === BEGIN) this.#next.segment.file.sync();
    else if (step === NAME) fs.syncDirectory(directory);
    else active.replace(segments.ordered);
  }

  #advance(): void {
    const step = this.#step++;
    if (step === CLOSE) {
      this.#closing.pooled.close();
      this.#listener.onClosed();
    } else if (step === NAME) {
      this.#next.segment.durableLength = SEGMENT_FRAME_BYTES;
    } else if (step === ACTIVATE) {
      this.#listener.onOver();
    }
  }
}
