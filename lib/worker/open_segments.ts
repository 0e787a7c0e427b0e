/**
 * The files that a reader has open: each opened when it is first read, mapped once it was read often,
 * and closed when it is of no more use.
 *
 * Compaction removes files without asking readers. The store counts removals in shared memory, after
 * the names are gone. A reader that finds the count changed looks which of its files have no name any
 * more, and closes those. It looks at the count before every read, and when it does not read, now and
 * then, so that no file that was removed stays on the disk for long.
 *
 * A file that is mapped must not be cut off below what is mapped of it: shared_durable.ts tells how
 * much of each will stay.
 */

import type { Clock, ScheduledTask } from "../clock.ts";
import { joinPath, segmentName } from "../format/filename.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import { SharedDurableReader } from "../log/shared_durable.ts";
import { MappedFrames } from "../store/mapped_frames.ts";
import { UNMAPPED_READS_MAX } from "../store/record_source.ts";
import { CLOSED, REMOVALS } from "../store/shared_store.ts";

/** A reader that is idle lets go of removed files within this time. */
const LOOK_MS = 1000;
/** Files open at once; with more, the one that was opened first is closed. */
const FILES_MAX = 256;

/** A segment as one reader has it open. */
class OpenSegment {
  readonly fileId: number;
  readonly file: File;
  /** Bytes from the beginning for which a memory map was asked. */
  mappedLength = 0;
  /** Records read beyond those bytes since then. */
  unmappedReads = 0;

  constructor(fileId: number, file: File) {
    this.fileId = fileId;
    this.file = file;
  }
}

export type { OpenSegment };

/** What the store tells in shared memory about its files. */
export interface SharedFiles {
  directory: string;
  /** See shared_store.ts. */
  control: Int32Array;
  /** See shared_durable.ts. */
  durable: SharedArrayBuffer;
}

/** Open files by segment. */
export class OpenSegments {
  /** Those that are mapped, from which the index may fetch ahead. */
  readonly frames: MappedFrames = new MappedFrames();
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #control: Int32Array;
  readonly #durable: SharedDurableReader;
  readonly #memoryMap: boolean;
  readonly #clock: Clock;
  readonly #segments = new Map<number, OpenSegment>();
  #removals: number;
  #look: ScheduledTask | undefined;

  /** Opens the files of a store, and maps them if told so. */
  constructor(fs: FileSystem, files: SharedFiles, memoryMap: boolean, clock: Clock) {
    this.#fs = fs;
    this.#directory = files.directory;
    this.#control = files.control;
    this.#durable = new SharedDurableReader(files.durable);
    this.#memoryMap = memoryMap;
    this.#clock = clock;
    this.#removals = Atomics.load(files.control, REMOVALS);
  }

  /** Lets go of files that were removed. To be called before the index is asked. */
  refresh(): void {
    const removals = Atomics.load(this.#control, REMOVALS);
    if (removals !== this.#removals) this.#closeRemoved(removals);
  }

  /** The segment with this id; undefined if there is no such file any more. */
  get(fileId: number): OpenSegment | undefined {
    return this.#segments.get(fileId) ?? this.#open(fileId);
  }

  /** Maps a segment as far as it will stay, after many reads of what is not mapped of it. */
  mapIfWorthIt(segment: OpenSegment): void {
    if (++segment.unmappedReads < UNMAPPED_READS_MAX || !this.#memoryMap) return;
    segment.unmappedReads = 0;
    const { file } = segment;
    const length = this.#durable.lengthToStay(segment.fileId, () => file.size());
    if (length <= segment.mappedLength) return;
    segment.mappedLength = length;
    this.frames.add(segment, file.map?.(length));
  }

  /** Closes everything. A read that is under way comes to its end. */
  closeAll(): void {
    this.#look?.cancel();
    this.#look = undefined;
    for (const { file } of this.#segments.values()) file.close();
    this.#segments.clear();
  }

  #closeRemoved(removals: number): void {
    for (const { fileId, file } of this.#segments.values()) {
      // An id is never used again: what has the name is the file that is open.
      if (this.#exists(fileId)) continue;
      this.#segments.delete(fileId);
      file.close();
    }
    this.#removals = removals;
  }

  #exists(fileId: number): boolean {
    try {
      return this.#fs.stat(this.#pathOf(fileId)) !== undefined;
    } catch {
      // Whoever reads it next learns why.
      return false;
    }
  }

  #open(fileId: number): OpenSegment | undefined {
    let file: File;
    try {
      file = this.#fs.open(this.#pathOf(fileId), "read");
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    if (this.#segments.size === FILES_MAX) {
      const [oldest] = this.#segments.values() as unknown as [OpenSegment];
      this.#segments.delete(oldest.fileId);
      oldest.file.close();
    }
    const segment = new OpenSegment(fileId, file);
    this.#segments.set(fileId, segment);
    this.#look ??= this.#lookLater();
    return segment;
  }

  #pathOf(fileId: number): string {
    return joinPath(this.#directory, segmentName(fileId));
  }

  #lookLater(): ScheduledTask {
    return this.#clock.schedule(
      LOOK_MS,
      () => {
        this.#look = undefined;
        if (Atomics.load(this.#control, CLOSED) !== 0) this.closeAll();
        else this.refresh();
        if (this.#segments.size > 0) this.#look = this.#lookLater();
      },
      true,
    );
  }
}
