/**
 * Compaction: copies what is alive out of segments that are partly dead, and removes them. It works
 * on a group of neighbouring segments at a time, in short slices, while reads and writes go on. A
 * crash at any point leaves either the old segments or the new one as the log.
 *
 * What must stay true (each has its test):
 * - Only segments that are closed, and whose every record is visible, are touched.
 * - Before ACTIVE names the output, everything the index knows is durable: a record is left out
 *   because a newer one supersedes it, and that one must not be lost to a crash.
 * - A tombstone, or an expired value, is dropped only if no older segment can still hold the key,
 *   and not while it is among the newest that followers of changes are promised.
 * - An index entry moves only if it still means the record that was copied.
 */

import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import { SYNC_FRAME_BYTES } from "../format/control_record.ts";
import { hintName, joinPath, segmentName } from "../format/filename.ts";
import {
  FRAME_HEADER_BYTES,
  frameLengthOf,
  OP_DELETE,
  OP_SET_EXPIRING,
  readFrameCrc,
  readU64,
} from "../format/record.ts";
import { removeDurablyAsync } from "../fs/durable.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { type ActiveFile, readActive } from "../log/active_file.ts";
import { HintReader } from "../log/hint_reader.ts";
import type { Segment } from "../log/segment.ts";
import type { SegmentScanner } from "../log/segment_scanner.ts";
import type { Logger } from "../telemetry/logger.ts";
import { CompactionOutput } from "./compaction_output.ts";
import {
  chooseAll,
  chooseWorthwhile,
  type CompactionThresholds,
  countClean,
  forgettableLsn,
  groupBytesOf,
  groupNeighbours,
  shouldRotate,
} from "./compaction_policy.ts";
import type { Keydir } from "./keydir.ts";
import { BackgroundSlices, RECORDS_BETWEEN_CLOCK_READINGS } from "./pause.ts";
import { type BackgroundContext, SegmentPass } from "./segment_pass.ts";
import type { CompactionResult } from "./types.ts";

/** What compaction works with. */
export interface CompactionContext extends BackgroundContext {
  fs: FileSystem;
  /** Directory of the log. */
  directory: string;
  keydir: Keydir;
  active: ActiveFile;
  thresholds: CompactionThresholds;
  logger: Logger;
  /** Closes the active segment, so that it can be compacted. */
  rotate: () => void;
  /** Resolves when every write so far is visible and durable. */
  settle: () => Promise<void>;
  /** Sees to it that ACTIVE names every segment there is; throws after a failure. */
  finishRotation: () => void;
  /** Resolves when all that the index knows is durable. */
  makeVisibleDurable: () => Promise<void>;
  /** LSN up to which every record is visible. */
  lsnVisible: () => number;
}

/** A group whose outputs are part of the log already, while its inputs are still in use. */
interface Handover {
  inputs: Segment[];
  outputs: Segment[];
  /** Whether no index entry points at the inputs any more, and their descriptors are closed. */
  moved: boolean;
}

/** Thrown inside a run that was cancelled; never leaves this file. */
class Cancelled extends Error {}

/** Runs compactions, one at a time. */
export class Compactor {
  #context: CompactionContext;
  #cancelled = false;
  /** What a run that failed could not finish. */
  #handover: Handover | undefined;
  #workBytesLeft = 0;

  constructor(context: CompactionContext) {
    const onWork = (byteLength: number) => {
      this.#workBytesLeft -= byteLength;
      context.onWork(byteLength);
    };
    this.#context = { ...context, onWork };
  }

  /**
   * Bytes of segments still to be worked through until the next files can be removed: each record once
   * to be read, and again to be moved if it is alive. 0 while nothing runs.
   */
  get workBytesLeft(): number {
    return Math.max(0, this.#workBytesLeft);
  }

  /** Makes the current run stop at its next slice, and later ones not begin. */
  cancel(): void {
    this.#cancelled = true;
  }

  /** Compacts `"all"` segments that give anything back, or only those that are `"worthwhile"`. */
  async run(what: "all" | "worthwhile"): Promise<CompactionResult> {
    const { keydir, clock, logger, thresholds, settle } = this.#context;
    const begin = clock.monotonic();
    const result: CompactionResult = {
      segmentsBefore: 0,
      segmentsAfter: 0,
      bytesReclaimed: 0,
      recordsMoved: 0,
      durationMs: 0,
    };
    if (this.#handover !== undefined) await this.#finishHandover(this.#handover);
    // What is in flight is no key's state yet, and would count as dead.
    await settle();
    const { active } = keydir.segments;
    if (shouldRotate(active, what, thresholds, this.#forgettableLsn())) this.#context.rotate();
    await settle();
    const lsnVisible = this.#context.lsnVisible();
    const forgettable = this.#forgettableLsn();
    const closed = keydir.segments.ordered.slice(0, -1)
      .filter((segment) => segment.lastLsn <= lsnVisible);
    const chosen = what === "all"
      ? chooseAll(closed, thresholds, forgettable)
      : chooseWorthwhile(closed, thresholds, forgettable);
    // As far as this position, older segments are rewritten or hold nothing that was superseded.
    const cleanCount = countClean(closed, chosen);
    try {
      const { segmentBytesMax } = thresholds;
      const bytesMax = what === "all" ? segmentBytesMax : groupBytesOf(closed, thresholds);
      for (const group of groupNeighbours(closed, chosen, bytesMax)) {
        const inputs = group.map((index) => closed[index]!);
        // Records deleted up to now are in no older segment, once those are rewritten.
        const droppableLsn = group.at(-1)! < cleanCount ? Math.min(lsnVisible, forgettable) : 0;
        await this.#compactGroup(inputs, droppableLsn, result);
      }
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
    } finally {
      this.#workBytesLeft = 0;
    }
    result.durationMs = clock.monotonic() - begin;
    if (result.segmentsBefore > 0) {
      logger.info("Compacted, segments before: {segmentsBefore}", { ...result });
    }
    return result;
  }

  async #compactGroup(
    inputs: Segment[],
    droppableLsn: number,
    result: CompactionResult,
  ): Promise<void> {
    const { keydir, active, makeVisibleDurable } = this.#context;
    const group = new GroupCopy(this.#context, inputs, droppableLsn);
    this.#workBytesLeft = inputs.reduce((sum, input) => sum + input.length + input.aliveBytes, 0);
    try {
      for (const input of inputs) await this.#copy(input, group);
      for (const output of group.outputs) await output.finish();
      await makeVisibleDurable();
      this.#checkCancelled();
      this.#context.finishRotation();
    } catch (error) {
      for (const output of group.outputs) this.#abort(output);
      throw error;
    }
    const outputs = group.outputs.map((output) => output.segment);
    const remaining = keydir.segments.ordered.flatMap((segment) =>
      segment === inputs[0] ? outputs : inputs.includes(segment) ? [] : segment
    );
    try {
      active.replace(remaining, Math.max(active.droppedLsn, group.droppedLsn));
    } catch (error) {
      for (const output of group.outputs) {
        if (this.#mayBeNamed(output.segment)) output.segment.retire();
        else this.#abort(output);
      }
      throw error;
    }
    keydir.segments.replace(inputs, outputs);
    this.#workBytesLeft = outputs.reduce((sum, output) => sum + output.length, 0);
    this.#handover = { inputs, outputs, moved: false };
    await this.#finishHandover(this.#handover);
    const bytesBefore = inputs.reduce((sum, input) => sum + input.length, 0);
    result.segmentsBefore += inputs.length;
    result.segmentsAfter += outputs.length;
    result.bytesReclaimed += bytesBefore - outputs.reduce((sum, output) => sum + output.length, 0);
    result.recordsMoved += outputs.reduce((sum, output) => sum + output.recordCount, 0);
  }

  /**
   * Takes the inputs out of use: entries, descriptors, files. What fails here has the log whole, and
   * reads going on from the inputs; it is done again when the next run begins.
   */
  async #finishHandover(handover: Handover): Promise<void> {
    const { fs, directory, keydir } = this.#context;
    const { inputs, outputs } = handover;
    if (!handover.moved) {
      for (const output of outputs) await this.#relocate(inputs, output);
      keydir.segments.forget(inputs);
      handover.moved = true;
    }
    const names = inputs.flatMap(({ fileId }) => [segmentName(fileId), hintName(fileId)]);
    await removeDurablyAsync(fs, directory, names);
    this.#handover = undefined;
    keydir.segments.onRemoved();
  }

  /** Whether ACTIVE, of which a replacement has failed, names the segment all the same. */
  #mayBeNamed({ fileId }: Segment): boolean {
    try {
      const state = readActive(this.#context.fs, this.#context.directory);
      return state === undefined || state.segments.some((segment) => segment.fileId === fileId);
    } catch {
      return true;
    }
  }

  /** What cannot be removed now is removed at the next opening; the first error says more. */
  #abort(output: CompactionOutput): void {
    try {
      output.abort();
    } catch (error) {
      this.#context.logger.warn("Removing an unfinished compaction output failed: {error}", {
        error,
      });
    }
  }

  async #copy(input: Segment, group: GroupCopy): Promise<void> {
    const pass = new SegmentPass(input, this.#context.active.nodeId, this.#context);
    const { scanner } = pass;
    await pass.pause();
    if (scanner.readHeader()) {
      while (scanner.next()) {
        const { frameLength } = scanner.reader.header;
        if (!group.hasRoom(frameLength)) await pass.pauseFor(group.makeRoom(frameLength));
        group.take(scanner);
        if (pass.isDue) {
          await pass.pause();
          this.#checkCancelled();
        }
      }
    }
    pass.finish();
    if (scanner.problem !== undefined) {
      const { path } = input.file;
      throw new KvError(
        "CorruptLog",
        `Cannot compact ${path}: it is damaged at offset ${scanner.validEnd} ` +
          `(${scanner.problem}); nothing was changed, ${DAMAGE_ADVICE}`,
        { path, fileId: input.fileId, offset: scanner.validEnd },
      );
    }
  }

  /** Points index entries at the copies; the output's hint file lists what was copied. */
  async #relocate(inputs: Segment[], output: Segment): Promise<void> {
    const { fs, directory, keydir, clock, urgency, onWork } = this.#context;
    const { index } = keydir;
    const slices = new BackgroundSlices(clock, urgency);
    const inputIds = new Set(inputs.map((input) => input.fileId));
    const file = fs.open(joinPath(directory, hintName(output.fileId)), "read");
    try {
      const hint = new HintReader(file);
      let untilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
      let toldOffset = 0;
      while (hint.next()) {
        const { bytes } = hint.buffer;
        const hash = index.hash(bytes, hint.keyStart, hint.keyLength);
        const address = index.find(hash, bytes, hint.keyStart, hint.keyLength);
        if (
          address !== 0 && index.lsn(address) === hint.lsn && inputIds.has(index.fileId(address))
        ) keydir.relocate(address, output, hint.offset);
        if (--untilClockReading === 0) {
          untilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
          // Not cancellable: from here on the output is part of the log.
          if (slices.over) {
            slices.end();
            onWork(hint.offset - toldOffset);
            toldOffset = hint.offset;
            await slices.pause();
          }
        }
      }
      onWork(output.length - toldOffset);
      if (hint.problem !== undefined) {
        throw new KvError("Io", `Cannot read back ${file.path}: ${hint.problem}`, {
          path: file.path,
        });
      }
    } finally {
      file.close();
    }
  }

  #forgettableLsn(): number {
    return forgettableLsn(this.#context.thresholds, this.#context.lsnVisible());
  }

  #checkCancelled(): void {
    if (this.#cancelled) throw new Cancelled();
  }
}

/** Copies what is alive of a group of segments into one output, or more if that gets too long. */
class GroupCopy {
  /** In order of their LSNs; each is created when the first record for it is kept. */
  readonly outputs: CompactionOutput[] = [];
  /** The newest delete or expired record that was dropped for good. */
  droppedLsn = 0;

  #context: CompactionContext;
  #firstLsn: number;
  #droppableLsn: number;

  constructor(context: CompactionContext, inputs: Segment[], droppableLsn: number) {
    this.#context = context;
    this.#firstLsn = inputs[0]!.firstLsn;
    this.#droppableLsn = droppableLsn;
  }

  /** Whether a frame can be taken; if not, see {@link makeRoom}. */
  hasRoom(frameLength: number): boolean {
    return this.outputs.at(-1)?.hasRoom(frameLength) ?? true;
  }

  /** Makes room for a frame, without blocking the event loop. */
  async makeRoom(frameLength: number): Promise<void> {
    await this.outputs.at(-1)?.makeRoom(frameLength);
  }

  /** Keeps, drops or buries the scanner's current record. */
  take(scanner: SegmentScanner): void {
    const { reader } = scanner;
    const { header, buffer, at } = reader;
    const { index } = this.#context.keydir;
    const { bytes } = buffer;
    const { op, lsn, keyLength, frameLength } = header;
    const keyStart = at + FRAME_HEADER_BYTES;
    const hash = index.hash(bytes, keyStart, keyLength);
    const address = index.find(hash, bytes, keyStart, keyLength);
    const expiresAt = op === OP_SET_EXPIRING ? readU64(buffer.view, keyStart + keyLength) : 0;
    if (op === OP_DELETE) {
      // A newer value of the key hides all older ones as well as this tombstone does.
      if (address !== 0 && index.lsn(address) > lsn) return;
      if (lsn <= this.#droppableLsn) {
        this.droppedLsn = Math.max(this.droppedLsn, lsn);
        return;
      }
    } else if (address === 0 || index.lsn(address) !== lsn) {
      if (address !== 0 || op !== OP_SET_EXPIRING) return;
      // Deleted later, or expired: then it is what hides older values. The clock may have been set
      // back since, so it is not asked which.
      if (lsn <= this.#droppableLsn) {
        this.droppedLsn = Math.max(this.droppedLsn, lsn);
        return;
      }
      this.#outputFor(lsn, frameLengthOf(keyLength, 0)).bury(lsn, bytes, keyStart, keyLength);
      return;
    }
    const crc = readFrameCrc(buffer.view, at, frameLength);
    this.#outputFor(lsn, frameLength)
      .copy(op, lsn, crc, expiresAt, bytes, at, keyLength, frameLength);
  }

  /**
   * The output for a record. Groups are made up so that what is alive fits one, but what has expired
   * since, or has to be buried, comes on top.
   */
  #outputFor(lsn: number, frameLength: number): CompactionOutput {
    const { fs, directory, active, clock, thresholds } = this.#context;
    const newest = this.outputs.at(-1)?.segment;
    const fits = newest !== undefined && (newest.recordCount === 0 ||
      newest.length + frameLength + SYNC_FRAME_BYTES <= thresholds.segmentBytesMax);
    if (!fits) {
      const firstLsn = newest === undefined ? this.#firstLsn : lsn;
      this.outputs.push(
        new CompactionOutput(
          fs,
          directory,
          active,
          firstLsn,
          clock.now(),
          thresholds.segmentBytesMax,
          frameLength,
        ),
      );
    }
    return this.outputs.at(-1)!;
  }
}
