/**
 * Salvages every readable record of a damaged store into a new one. The source is only read.
 *
 * Three passes: survey all segments, over all damage; gather the newest record of each key; copy
 * these, in order of their LSNs, which they keep, so that versions that clients hold stay true.
 */

import { type Clock, systemClock } from "../clock.ts";
import { ACTIVE_NAME, joinPath, segmentName, WAL_NAME } from "../format/filename.ts";
import { formatNodeId } from "../format/node_id.ts";
import { NODE_ID_BYTES } from "../format/control_record.ts";
import { frameLengthOf } from "../format/record.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { LSN_LIMIT, SEGMENT_BYTES_LIMIT } from "../limits.ts";
import { type RandomSource, systemRandom } from "../random.ts";
import { copyRecords } from "./record_copy.ts";
import { checkDestination, NewStore } from "./new_store.ts";
import { pause } from "./pause.ts";
import type { RepairOptions, RepairReport } from "./repair_report.ts";
import { judgeRuns } from "./run_judgement.ts";
import { SalvageIndex } from "./salvage_index.ts";
import { findLogDirectory, lockSource, readSource, type SalvageSource } from "./salvage_source.ts";
import { SalvageWriter } from "./salvage_writer.ts";
import { chooseSegments, type SegmentChoice, windowOf } from "./segment_choice.ts";
import { findLosses } from "./segment_losses.ts";
import { TolerantFile } from "./tolerant_file.ts";

export type {
  BrokenBatchReport,
  LostRange,
  RepairOptions,
  RepairReport,
  SkippedFile,
} from "./repair_report.ts";

const TASK = "repair into";
const FRAME_BYTES_MIN = frameLengthOf(1, 0);

/** Seams that a test may own. */
export interface RepairSeams {
  /** Time, for headers of segments and for what has expired. */
  clock?: Clock;
  /** Randomness, for an identity where none is left. */
  random?: RandomSource;
}

/**
 * Salvages the store in the directory `source` into the directory `destination`, which must not
 * exist or be empty. The source is opened for reading only. Resolves to a report also when much is
 * lost.
 *
 * Throws `Locked` if a store has the source open, `InvalidArgument` for an unusable destination,
 * `Io` if the source is no store, the system does not let this process read it, or the destination
 * cannot be written, `NoSpace`, and `Unsupported` for a source of a newer format.
 */
export async function repairStore(
  fs: FileSystem,
  source: string,
  destination: string,
  options: RepairOptions & RepairSeams = {},
): Promise<RepairReport> {
  checkDestination(fs, source, destination, TASK);
  const directory = findLogDirectory(fs, source);
  const warnings: string[] = [];
  const advice = "stop that one, or copy the directory and repair the copy";
  const lock = lockSource(fs, source, warnings, advice);
  try {
    const found = await readSource(fs, directory, options.clock ?? systemClock);
    found.warnings.unshift(...warnings);
    return await new Repair(fs, source, destination, options, found).run();
  } finally {
    lock?.release();
  }
}

class Repair {
  #fs: FileSystem;
  #clock: Clock;
  #random: RandomSource;
  #keepPartialBatches: boolean;
  #found: SalvageSource;
  #choice: SegmentChoice;
  #index: SalvageIndex;
  #report: RepairReport;
  /** Above every LSN that the damaged store can have given to a record. */
  #lsnNext = 1;

  constructor(
    fs: FileSystem,
    source: string,
    destination: string,
    options: RepairOptions & RepairSeams,
    found: SalvageSource,
  ) {
    this.#fs = fs;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#keepPartialBatches = options.keepPartialBatches ?? false;
    this.#found = found;
    this.#choice = chooseSegments(found.segments, found.active);
    this.#index = new SalvageIndex(new DataView(this.#randomBytes(4).buffer).getInt32(0));
    const nodeId = found.nodeId ?? this.#inventNodeId();
    this.#report = {
      complete: true,
      source,
      destination,
      nodeId: formatNodeId(nodeId),
      segments: this.#choice.segments.length,
      bytes: this.#choice.segments.reduce((sum, { survey }) => sum + survey.size, 0),
      recordsReadable: 0,
      recordsWritten: 0,
      keys: 0,
      version: 0,
      tornBytes: 0,
      lost: [],
      batches: [],
      skipped: [...found.skipped, ...this.#choice.skipped],
      warnings: [...found.warnings, ...this.#choice.warnings],
    };
    this.#found.nodeId = nodeId;
  }

  async run(): Promise<RepairReport> {
    const report = this.#report;
    this.#noteUnfinished();
    this.#noteMissing();
    for (const segmentNumber of this.#choice.segments.keys()) await this.#gather(segmentNumber + 1);
    this.#passMissingVersions();
    report.recordsReadable = this.#index.recordsReadable;
    this.#raiseLsn((this.#found.active?.droppedLsn ?? 0) + 1);
    this.#judgeCompleteness();
    await this.#write();
    this.#judgeCompleteness();
    return report;
  }

  /** Nobody knows what else would have been copied: it may be anything. */
  #noteUnfinished(): void {
    if (!this.#found.unfinished) return;
    const path = joinPath(joinPath(this.#report.source, WAL_NAME), ACTIVE_NAME);
    const reason =
      "this was never a whole store, but a copy that a backup, restore or repair left " +
      "unfinished: what it was made from has more, so make it again from that";
    this.#report.lost.push({ path, offset: 0, length: 0, reason });
  }

  /** Segments that ACTIVE names and that are gone. */
  #noteMissing(): void {
    const { missing, segments } = this.#choice;
    for (const fileId of missing) {
      const path = joinPath(joinPath(this.#report.source, WAL_NAME), segmentName(fileId));
      const isThere = this.#report.skipped.some((file) => file.path === path);
      const reason = isThere ? "the file cannot be opened" : "the file is missing";
      this.#report.lost.push({ path, offset: 0, length: 0, reason });
    }
    if (segments.length === 0) {
      const path = joinPath(this.#report.source, WAL_NAME);
      this.#report.lost.push({ path, offset: 0, length: 0, reason: "there is no segment at all" });
    }
  }

  /** If the newest segment is missing, nobody knows how many versions it had. */
  #passMissingVersions(): void {
    const newest = this.#found.active?.segments.at(-1);
    if (newest === undefined || !this.#choice.missing.includes(newest.fileId)) return;
    this.#raiseLsn(this.#lsnNext + Math.ceil(SEGMENT_BYTES_LIMIT / FRAME_BYTES_MIN));
  }

  /** Reads one segment into the index, and draws up its account. */
  async #gather(segmentNumber: number): Promise<void> {
    const { newest } = this.#choice;
    const segment = this.#choice.segments[segmentNumber - 1]!;
    const { path, survey } = segment;
    const window = windowOf(segment, this.#choice);
    const judgement = judgeRuns(survey, window);
    const file = TolerantFile.open(this.#fs, path);
    try {
      const losses = findLosses(
        file,
        segment,
        judgement,
        window,
        segment === newest,
        this.#keepPartialBatches,
      );
      this.#report.lost.push(...losses.lost);
      this.#report.batches.push(...losses.batches);
      this.#report.tornBytes += losses.tornBytes;
      for (const run of judgement.runs) {
        this.#raiseLsn(run.lastLsn + 1);
        const end = this.#index.takeRun(
          file,
          run,
          segmentNumber,
          losses.leftOut,
          (offset, length, reason) => this.#report.lost.push({ path, offset, length, reason }),
        );
        if (end < run.end) this.#noteUnsteady(path, end, run.end - end);
        await pause(this.#clock);
      }
      this.#raiseLsn(survey.header?.firstLsn ?? 1);
      this.#raiseLsn(survey.durableLsn + 1);
      for (const { lastLsn } of losses.leftOut) this.#raiseLsn(lastLsn + 1);
      // Versions that were lost with the end may be known to somebody: none is given out again.
      this.#raiseLsn(this.#lsnNext + Math.ceil(losses.tailBytes / FRAME_BYTES_MIN));
    } finally {
      file.close();
    }
  }

  #noteUnsteady(path: string, offset: number, length: number): void {
    this.#report.lost.push({ path, offset, length, reason: "could not be read a second time" });
  }

  #raiseLsn(lsnNext: number): void {
    this.#lsnNext = Math.min(Math.max(this.#lsnNext, lsnNext), LSN_LIMIT);
  }

  #judgeCompleteness(): void {
    const { lost, batches } = this.#report;
    this.#report.complete = batches.length === 0 &&
      lost.every(({ recordsLost }) => recordsLost === 0);
  }

  async #write(): Promise<void> {
    const { source, destination, lost } = this.#report;
    const store = new NewStore(this.#fs, source, destination, TASK);
    const now = this.#clock.now();
    const writer = new SalvageWriter(store, this.#found.nodeId!, now);
    try {
      const { segments } = this.#choice;
      const copied = await copyRecords(this.#fs, segments, this.#index, writer, now, this.#clock);
      lost.push(...copied.lost);
      this.#report.recordsWritten = copied.records;
      this.#report.keys = copied.keys;
      this.#report.version = this.#lsnNext - 1;
      writer.finish(this.#lsnNext, this.#droppedLsn(copied.lost.length > 0));
    } catch (error) {
      writer.close();
      store.abandon();
      throw error;
    } finally {
      store.release();
    }
  }

  /**
   * Deletes may be among what was lost. Then whoever follows the changes from an earlier version
   * must begin anew, as when deletes were compacted away.
   */
  #droppedLsn(isMoreLost: boolean): number {
    const { active } = this.#found;
    const isKnown = active !== undefined && this.#choice.disjoint;
    return isKnown && this.#report.complete && !isMoreLost ? active.droppedLsn : this.#lsnNext - 1;
  }

  #inventNodeId(): Uint8Array {
    this.#found.warnings.push("nothing tells the identity of the store: it got a new one");
    const nodeId = this.#randomBytes(NODE_ID_BYTES);
    // Version and variant of a random UUID, RFC 9562 section 5.4.
    nodeId[6] = nodeId[6]! & 0x0f | 0x40;
    nodeId[8] = nodeId[8]! & 0x3f | 0x80;
    return nodeId;
  }

  #randomBytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.#random.fill(bytes);
    return bytes;
  }
}
