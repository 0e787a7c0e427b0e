/**
 * What a store does for itself in the background: hint files for closed segments, and compaction
 * when it is due. One task at a time, so that none changes what another works on.
 */

import type { Clock, ScheduledTask } from "../clock.ts";
import { KvError } from "../errors.ts";
import type { Segment } from "../log/segment.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { CompactionEvent } from "../telemetry/store_observer.ts";
import { Checkpointer } from "./checkpoint.ts";
import { type CompactionContext, Compactor } from "./compaction.ts";
import { forgettableLsn, reclaimableBytes, shouldCompact } from "./compaction_policy.ts";
import { buildHint, type HintContext } from "./hint_builder.ts";
import type { OpenedLog } from "./open_log.ts";
import type { CompactionResult, StoreStats } from "./types.ts";

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 60_000;
/** As many may wait, the one that runs included, before it takes more of the event loop. */
const TASKS_MAX = 2;
/** Bytes appended or superseded between two looks at whether compaction is due. */
const CHECK_BYTES_MIN = 4096;
/** Opening scans what no hint covers: at closing a hint is worth writing for more than this. */
const HINT_BYTES_MIN = 4 << 20;

/** What maintenance works with. */
export interface MaintenanceContext extends Omit<CompactionContext, "logger" | "clock" | "isLate"> {
  clock: Clock;
  logger: Logger;
  /** Compact without being asked. */
  auto: boolean;
  /** What opening has found. */
  opened: OpenedLog;
  /** See the option of the store. */
  checkpointRecordsMin: number;
  /** Called after every compaction, also one that failed. */
  onCompaction: ((event: CompactionEvent) => void) | undefined;
  lsnDurable: () => number;
  /** Bytes of sets that are in the log and not yet visible. */
  bytesInFlight: () => number;
}

/** The background tasks of one store. */
export class Maintenance {
  /** Compactions finished. */
  compactions = 0;
  /** Whether one runs now. */
  compacting = false;
  /** What the last one did, and when; nothing before the first. */
  last: Pick<StoreStats, "lastCompaction" | "lastCompactionAt"> = {};

  #context: MaintenanceContext;
  #compactor: Compactor;
  #checkpointer: Checkpointer;
  #tail: Promise<void> = Promise.resolve();
  #tasks = 0;
  #closed = false;
  #bytesSinceCheck = 0;
  #supersededBytes = 0;
  #checkBytes: number;
  #autoPending = false;
  #deadBytesSpared = 0;
  #retry: ScheduledTask | undefined;
  #retryMs = RETRY_MS_MIN;

  constructor(context: MaintenanceContext) {
    this.#context = context;
    this.#compactor = new Compactor({ ...context, isLate: () => this.#isLate });
    const { opened, checkpointRecordsMin } = context;
    this.#checkpointer = new Checkpointer(
      context,
      checkpointRecordsMin,
      opened.checkpoint?.segments,
      opened.replay.records,
    );
    // A short delete may be the end of a long record.
    context.keydir.onSuperseded = (frameLength) => {
      this.#supersededBytes += frameLength;
      this.note(frameLength);
    };
    this.#checkBytes = Math.max(CHECK_BYTES_MIN, context.thresholds.deadBytesMin / 4);
  }

  /** Whether a task runs or waits for its turn: they keep the disk busy. */
  get isBusy(): boolean {
    return this.#tasks > 0;
  }

  /** Takes note of records that were appended, or superseded. */
  note(byteLength: number): void {
    this.#bytesSinceCheck += byteLength;
    if (this.#bytesSinceCheck >= this.#checkBytes) this.check();
  }

  /** Starts compaction if it is due. */
  check(): void {
    this.#bytesSinceCheck = 0;
    const { auto, keydir, thresholds } = this.#context;
    if (!auto || this.#autoPending || this.#closed) return;
    const { ordered } = keydir.segments;
    const forgettable = this.#forgettableLsn();
    const spared = this.#deadBytesSpared;
    const inFlight = this.#context.bytesInFlight();
    if (!shouldCompact(ordered, thresholds, forgettable, spared, inFlight)) return;
    this.#autoPending = true;
    void this.#enqueue(() => this.#compactByItself());
  }

  /** Writes hint files for closed segments that have none. */
  hint(segment: Segment): void {
    void this.#enqueue(() => this.#hint(segment));
  }

  /** Compacts everything that gives anything back. */
  compact(): Promise<CompactionResult> {
    return this.#enqueue(() => this.#compact("all"));
  }

  /**
   * Stops compaction, and waits for what is running. Hint files are still written: reading their
   * segments at the next opening instead would take longer.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    this.#compactor.cancel();
    await this.#tail;
  }

  /**
   * After everything else: writes a checkpoint, or the hint file of the segment that was appended
   * to, which must be sealed, where the next opening would take long without.
   */
  async shortenNextOpening(segment: Segment): Promise<void> {
    const { keydir, active, opened, lsnDurable } = this.#context;
    const recordsAppended = lsnDurable() - opened.lsn;
    if (await this.#checkpointer.write(keydir, active.nodeId, recordsAppended)) return;
    const coveredLength = this.#checkpointer.coveredLength(keydir.segments.ordered, segment);
    if (segment.length - Math.max(segment.hintedLength, coveredLength) < HINT_BYTES_MIN) return;
    await this.#buildHint(segment);
  }

  /** Whether work piles up, or somebody waits for it: sparing the event loop must not let it grow. */
  get #isLate(): boolean {
    if (this.#closed || this.#tasks > TASKS_MAX) return true;
    const { segments } = this.#context.keydir;
    const { deadRatio, deadBytesMin } = this.#context.thresholds;
    const deadBytesMax = segments.totalBytes * (1 + deadRatio) / 2;
    return segments.totalBytes - segments.aliveBytes > Math.max(deadBytesMin, deadBytesMax);
  }

  /** Runs tasks one after the other; one that fails does not stop those behind it. */
  #enqueue<Result>(task: () => Promise<Result>): Promise<Result> {
    const run = this.#tail.then(task);
    this.#tasks++;
    const end = () => void this.#tasks--;
    this.#tail = run.then(end, end);
    return run;
  }

  async #compact(what: "all" | "worthwhile"): Promise<CompactionResult> {
    const { clock, onCompaction } = this.#context;
    this.compacting = true;
    const begin = clock.monotonic();
    let bytesReclaimed = 0;
    let succeeded = false;
    try {
      const result = await this.#compactor.run(what);
      this.compactions++;
      this.last = { lastCompaction: result, lastCompactionAt: clock.now() };
      ({ bytesReclaimed } = result);
      succeeded = true;
      return result;
    } finally {
      this.compacting = false;
      onCompaction?.({ succeeded, bytesReclaimed, durationMs: clock.monotonic() - begin });
    }
  }

  async #compactByItself(): Promise<void> {
    const { keydir, logger, clock } = this.#context;
    let checkAgain = false;
    try {
      if (this.#closed) return;
      const supersededBefore = this.#supersededBytes;
      const forgettable = this.#forgettableLsn();
      await this.#compact("worthwhile");
      this.#retryMs = RETRY_MS_MIN;
      const deadBytes = keydir.segments.ordered
        .reduce((sum, segment) => sum + reclaimableBytes(segment, forgettable), 0);
      // What died while it ran was not spared: nobody had looked at it. The same goes for deletes
      // that had to be kept when it began. What is in flight is not dead at all.
      this.#deadBytesSpared = deadBytes - (this.#supersededBytes - supersededBefore) -
        this.#context.bytesInFlight();
      checkAgain = true;
    } catch (error) {
      const isFinal = error instanceof KvError && error.code === "CorruptLog";
      logger.warn("Compaction failed: {error}", {
        error,
        retryMs: isFinal ? undefined : this.#retryMs,
      });
      if (isFinal || this.#closed) {
        this.#deadBytesSpared = Infinity;
      } else {
        this.#retry = clock.schedule(this.#retryMs, () => this.check(), true);
        this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
      }
    } finally {
      this.#autoPending = false;
    }
    if (checkAgain) this.check();
  }

  #forgettableLsn(): number {
    return forgettableLsn(this.#context.thresholds, this.#context.lsnVisible());
  }

  async #hint(segment: Segment): Promise<void> {
    const { keydir } = this.#context;
    if (segment.hintedLength === segment.length) return;
    if (!keydir.segments.ordered.includes(segment)) return;
    await this.#buildHint(segment);
  }

  async #buildHint(segment: Segment): Promise<void> {
    const { logger } = this.#context;
    const context: HintContext = {
      fs: this.#context.fs,
      directory: this.#context.directory,
      nodeId: this.#context.active.nodeId,
      keydir: this.#context.keydir,
      clock: this.#context.clock,
      isLate: () => this.#isLate,
      lsnDurable: this.#context.lsnDurable,
    };
    try {
      await buildHint(context, segment);
    } catch (error) {
      // Without a hint, opening takes longer: no reason to fail anything.
      logger.warn("Writing a hint file failed: {error}", { error, fileId: segment.fileId });
    }
  }
}
