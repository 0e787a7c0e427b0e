/**
 * The index as a file: written when a store is closed, and read when it is opened, in place of all
 * the records that it stands for. Like a hint file it is only ever a shortcut.
 */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import type { ActiveState } from "../format/active.ts";
import type { CheckpointSegment } from "../format/checkpoint.ts";
import { SEGMENT_FRAME_BYTES } from "../format/control_record.ts";
import { CHECKPOINT_NAME, joinPath } from "../format/filename.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { LargePages } from "../fs/large_pages.ts";
import { KeyIndex } from "../index/key_index.ts";
import { bindCheckpoint, type BoundCheckpoint } from "../log/checkpoint_binding.ts";
import { CheckpointProblem, CheckpointReader } from "../log/checkpoint_reader.ts";
import { CheckpointWriter } from "../log/checkpoint_writer.ts";
import type { Segment } from "../log/segment.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Keydir } from "./keydir.ts";
import { Slices } from "./pause.ts";

/** Whoever opens a store waits for it. */
const READING_SLICE_MS = 10;
/** While one store is closed, the process may have other things to do. */
const WRITING_SLICE_MS = 2;
/** Besides the option's number of records, opening may replay this share of the keys. */
const RECORDS_SHARE = 1 / 16;
/** Memory of the index for each key beyond its bytes, at most, while no keys were deleted. */
const BYTES_A_KEY_MAX = 56;
/** An index is sparse if it has so many times the memory that its keys need, and these bytes. */
const SPARSE_RATIO = 2;
const DENSE_BYTES_MIN = 1 << 20;

/** Where checkpoints are, and what working with them takes. */
export interface CheckpointContext {
  fs: FileSystem;
  /** Directory of the log. */
  directory: string;
  clock: Clock;
  logger: Logger;
}

/** What a checkpoint gave. */
export interface LoadedCheckpoint extends BoundCheckpoint {
  index: KeyIndex;
  /** Bytes of the file. */
  byteLength: number;
}

/**
 * Reads the checkpoint of the log that ACTIVE names, whose segments are open as `files`. Undefined if
 * there is none that can be believed.
 */
export async function loadCheckpoint(
  context: CheckpointContext,
  state: ActiveState,
  files: readonly File[],
): Promise<LoadedCheckpoint | undefined> {
  const { fs, directory, logger } = context;
  const path = joinPath(directory, CHECKPOINT_NAME);
  if (fs.stat(path) === undefined) return undefined;
  try {
    const file = fs.open(path, "read");
    try {
      const reader = new CheckpointReader(file);
      const bound = bindCheckpoint(reader.header, state, files);
      if (typeof bound === "string") throw new CheckpointProblem(bound, 0);
      const index = await readIndex(reader, context.clock);
      return { ...bound, index, byteLength: reader.size };
    } finally {
      file.close();
    }
  } catch (error) {
    // Not even a disk that cannot read it stops the opening.
    if (!(error instanceof CheckpointProblem || error instanceof KvError)) throw error;
    logger.warn("{path} is not used, reading the log instead: {problem}", {
      path,
      problem: error.message,
    });
    return undefined;
  }
}

async function readIndex(reader: CheckpointReader, clock: Clock): Promise<KeyIndex> {
  const slices = new Slices(clock, READING_SLICE_MS);
  const steps = KeyIndex.load(reader, { prepareSlab: LargePages.prepare });
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      reader.end();
      return step.value;
    }
    if (slices.over) await slices.pause();
  }
}

/** Decides when a store writes a checkpoint, and does so. */
export class Checkpointer {
  #context: CheckpointContext;
  #recordsMin: number;
  /** What the checkpoint on disk stands for; nothing if there is none. */
  #covered: readonly CheckpointSegment[];
  /** Records that opening has applied on top of it. */
  #recordsReplayed: number;

  /**
   * `covered` is what the checkpoint on disk stands for, if there is one that can be used; `records`
   * how many records opening has applied.
   */
  constructor(
    context: CheckpointContext,
    recordsMin: number,
    covered: readonly CheckpointSegment[] = [],
    recordsReplayed: number,
  ) {
    this.#context = context;
    this.#recordsMin = recordsMin;
    this.#covered = covered;
    this.#recordsReplayed = recordsReplayed;
  }

  /**
   * Writes a checkpoint of a log that is sealed and does not change any more, if the next opening
   * would have to replay much without; `recordsAppended` counts the records since this one. Returns
   * whether it did.
   */
  async write(keydir: Keydir, nodeId: Uint8Array, recordsAppended: number): Promise<boolean> {
    const { size } = keydir.index;
    const segments = coverableSegments(keydir.segments.ordered);
    const isUsable = this.#isUsable(keydir.segments.ordered);
    const records = isUsable ? this.#recordsReplayed + recordsAppended : size;
    const isNeeded = records > Math.max(this.#recordsMin, size * RECORDS_SHARE);
    const { logger } = this.#context;
    try {
      // While something still points at segments that compaction has replaced, so would the file.
      const isSound = segments.length > 0 && keydir.segments.isSettled;
      if (isNeeded && isSound && !isSparse(keydir.index)) {
        await this.#write(keydir, nodeId, segments);
        return true;
      }
      if (!isUsable) this.#remove();
      return false;
    } catch (error) {
      // Without a checkpoint, opening takes longer: no reason to fail anything.
      logger.warn("Writing a checkpoint of the index failed: {error}", { error });
      return false;
    }
  }

  /** How much of a segment the next opening need not read. */
  coveredLength(ordered: readonly Segment[], segment: Segment): number {
    if (!this.#isUsable(ordered)) return 0;
    return this.#covered.find(({ fileId }) => fileId === segment.fileId)?.coveredLength ?? 0;
  }

  #isUsable(ordered: readonly Segment[]): boolean {
    return this.#covered.length > 0 &&
      this.#covered.every(({ fileId }, index) => fileId === ordered[index]?.fileId);
  }

  /** Removes a file that no opening would use. Should it come back with a crash, none uses it. */
  #remove(): void {
    const { fs, directory } = this.#context;
    const path = joinPath(directory, CHECKPOINT_NAME);
    if (fs.stat(path) !== undefined) fs.unlink(path);
  }

  async #write(keydir: Keydir, nodeId: Uint8Array, segments: CheckpointSegment[]): Promise<void> {
    const { fs, directory, clock } = this.#context;
    const slices = new Slices(clock, WRITING_SLICE_MS);
    const writer = new CheckpointWriter(fs, directory, { nodeId, segments });
    try {
      for (const _ of keydir.index.save(writer)) if (slices.over) await slices.pause();
      await writer.finish();
    } catch (error) {
      writer.abort();
      throw error;
    }
  }
}

/**
 * Whether most keys that the index once had are gone. It keeps their memory for others, and so would
 * its image; an index that is built anew gives it back.
 */
function isSparse(index: KeyIndex): boolean {
  const dense = index.size * BYTES_A_KEY_MAX + index.keyBytes();
  return index.imageBytes() > DENSE_BYTES_MIN + SPARSE_RATIO * dense;
}

/** Name of a checkpoint in a log's directory that is of no use, to be removed; empty if there is none. */
export function findUselessCheckpoint(
  fs: FileSystem,
  directory: string,
  loaded: LoadedCheckpoint | undefined,
): string[] {
  const isThere = loaded === undefined &&
    fs.stat(joinPath(directory, CHECKPOINT_NAME)) !== undefined;
  return isThere ? [CHECKPOINT_NAME] : [];
}

/** The segments of a sealed log, as a checkpoint of it covers them. */
function coverableSegments(ordered: readonly Segment[]): CheckpointSegment[] {
  // The newest one may hold nothing yet, and so no mark to be bound to.
  const isEmpty = ordered.at(-1)!.length === SEGMENT_FRAME_BYTES;
  return (isEmpty ? ordered.slice(0, -1) : ordered).map((segment) => ({
    fileId: segment.fileId,
    coveredLength: segment.length,
    chain: segment.chain,
    recordCount: segment.recordCount,
    controlBytes: segment.controlBytes,
    tombstoneBytes: segment.tombstoneBytes,
    aliveBytes: segment.aliveBytes,
    hintedLength: segment.hintedLength,
    lastLsn: segment.lastLsn,
  }));
}
