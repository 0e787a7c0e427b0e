/**
 * What a store does for itself in the background: hint files for closed segments, and compaction
 * when it is due. One task at a time, so that none changes what another works on.
 */

import type { ScheduledTask } from "../clock.ts";
import { KvError } from "../errors.ts";
import type { Segment } from "../log/segment.ts";
import type { CompactionEvent } from "../telemetry/store_observer.ts";
import type { Backpressure } from "./backpressure.ts";
import { Checkpointer } from "./checkpoint.ts";
import { type CompactionContext, Compactor } from "./compaction.ts";
import {
  forgettableLsn,
  type Lag,
  lagOf,
  reclaimableBytes,
  shouldCompact,
} from "./compaction_policy.ts";
import { buildHint, type HintContext } from "./hint_builder.ts";
import type { OpenedLog } from "./open_log.ts";
import type { Urgency } from "./pause.ts";
import type { CompactionResult, StoreStats } from "./types.ts";

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 60_000;
/** As many may wait, the one that runs included, before it takes more of the event loop. */
const TASKS_MAX = 2;
/** Bytes appended or superseded between two looks at whether compaction is due. */
const CHECK_BYTES_MIN = 4096;
/** Opening scans what no hint covers: at closing a hint is worth writing for more than this. */
const HINT_BYTES_MIN = 4 << 20;

/** Compaction is late when it has used up so much of the slack that it has. */
const LATE_SLACK_SHARE = 1 / 4;
/** What may be written for each byte that compaction works through, at least and at most. */
const WRITE_SHARE_MIN = 1 / 16;
const WRITE_SHARE_MAX = 1 / 2;
/** The same before compaction has begun: what is to be done first is not known. */
const WRITE_SHARE_WAITING = 1 / 4;

/** What maintenance works with. */
export interface MaintenanceContext extends Omit<CompactionContext, "urgency" | "onWork"> {
  /** Slowed down by it. */
  backpressure: Backpressure;
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
  #lag: Lag = { excessBytes: -Infinity, slackBytes: 0 };
  #workSinceCheck = 0;
  /** Segments that compaction is likely to rewrite first; those that it leaves get their hints then. */
  #unhinted: Segment[] = [];
  #deadBytesSpared = 0;
  #retry: ScheduledTask | undefined;
  #retryMs = RETRY_MS_MIN;

  constructor(context: MaintenanceContext) {
    this.#context = context;
    this.#compactor = new Compactor({
      ...context,
      urgency: () => this.#urgency,
      onWork: (byteLength) => this.#noteWork(byteLength),
    });
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

  /** Starts compaction if it is due, and slows writes down if it is behind. */
  check(): void {
    this.#bytesSinceCheck = 0;
    const { auto, keydir, thresholds } = this.#context;
    if (this.#closed) return;
    const { ordered } = keydir.segments;
    const forgettable = this.#forgettableLsn();
    const spared = this.#deadBytesSpared;
    const inFlight = this.#context.bytesInFlight();
    this.#lag = lagOf(ordered, thresholds, forgettable, inFlight);
    if (
      auto && !this.#autoPending && this.#retry === undefined &&
      shouldCompact(ordered, thresholds, forgettable, spared, inFlight)
    ) {
      this.#autoPending = true;
      void this.#enqueue(() => this.#compactByItself());
    }
    this.#pace();
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
    this.#context.backpressure.release();
    this.#retry?.cancel();
    this.#compactor.cancel();
    // A compaction that was running may have closed a segment, whose hint file comes after it.
    while (this.#tasks > 0) await this.#tail;
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
  get #urgency(): Urgency {
    const { excessBytes, slackBytes } = this.#lag;
    if (excessBytes > slackBytes) return "urgent";
    return this.#isBehind || this.#closed || this.#tasks > TASKS_MAX ? "late" : "calm";
  }

  get #isBehind(): boolean {
    const { excessBytes, slackBytes } = this.#lag;
    return excessBytes > slackBytes * LATE_SLACK_SHARE;
  }

  /** Takes note of background work: so many bytes of segments were worked through. */
  #noteWork(byteLength: number): void {
    this.#context.backpressure.noteWork(byteLength);
    this.#workSinceCheck += byteLength;
    if (this.#workSinceCheck < this.#checkBytes) return;
    this.#workSinceCheck = 0;
    this.check();
  }

  /**
   * Lets writes go on as fast as compaction does if it is behind, and as ever if it is not, or does
   * not run. What there is of slack is to last until it can remove the next files.
   */
  #pace(): void {
    const { backpressure } = this.#context;
    if (!this.#autoPending || this.#closed || !this.#isBehind) {
      backpressure.release();
      return;
    }
    const { excessBytes, slackBytes } = this.#lag;
    const { workBytesLeft } = this.#compactor;
    const share = workBytesLeft === 0
      ? WRITE_SHARE_WAITING
      : Math.min(WRITE_SHARE_MAX, (slackBytes - excessBytes) / workBytesLeft);
    backpressure.hold(Math.max(WRITE_SHARE_MIN, share), slackBytes * LATE_SLACK_SHARE);
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
        this.#retry = clock.schedule(this.#retryMs, () => this.#tryAgain(), true);
        this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
      }
    } finally {
      this.#autoPending = false;
      this.#pace();
      for (const segment of this.#unhinted.splice(0)) this.hint(segment);
    }
    if (checkAgain) this.check();
  }

  #tryAgain(): void {
    this.#retry = undefined;
    this.check();
  }

  #forgettableLsn(): number {
    return forgettableLsn(this.#context.thresholds, this.#context.lsnVisible());
  }

  async #hint(segment: Segment): Promise<void> {
    const { keydir } = this.#context;
    if (segment.hintedLength === segment.length) return;
    if (!keydir.segments.ordered.includes(segment)) return;
    if (this.#autoPending && !this.#closed && this.#isBehind && this.#isWorthwhile(segment)) {
      this.#unhinted.push(segment);
    } else await this.#buildHint(segment);
  }

  #isWorthwhile(segment: Segment): boolean {
    const { deadRatio } = this.#context.thresholds;
    return reclaimableBytes(segment, this.#forgettableLsn()) / segment.length > deadRatio;
  }

  async #buildHint(segment: Segment): Promise<void> {
    const { logger } = this.#context;
    const context: HintContext = {
      fs: this.#context.fs,
      directory: this.#context.directory,
      nodeId: this.#context.active.nodeId,
      keydir: this.#context.keydir,
      clock: this.#context.clock,
      urgency: () => this.#urgency,
      onWork: (byteLength) => this.#noteWork(byteLength),
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
