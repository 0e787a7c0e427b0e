/**
 * The files that a reader has open: each opened when it is first read, and closed when it is of no
 * more use.
 *
 * Compaction removes files without asking readers. The store counts removals in shared memory, after
 * the names are gone. A reader that finds the count changed closes all that it has open and opens
 * anew what it needs: what was removed cannot be opened again. It looks at the count before every
 * read, and when it does not read, now and then, so that no file that was removed stays on the disk
 * for long.
 */

import type { Clock, ScheduledTask } from "../clock.ts";
import { joinPath, segmentName } from "../format/filename.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import { REMOVALS } from "../store/shared_store.ts";

/** A reader that is idle lets go of removed files within this time. */
const LOOK_MS = 1000;
/** Files open at once; with more, the one that was opened first is closed. */
const FILES_MAX = 256;

/** Open files by segment. */
export class OpenSegments {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #control: Int32Array;
  readonly #clock: Clock;
  readonly #files = new Map<number, File>();
  #removals: number;
  #look: ScheduledTask | undefined;

  /** Opens files in `directory`; `control` counts removals. */
  constructor(fs: FileSystem, directory: string, control: Int32Array, clock: Clock) {
    this.#fs = fs;
    this.#directory = directory;
    this.#control = control;
    this.#clock = clock;
    this.#removals = Atomics.load(control, REMOVALS);
  }

  /** How many files are open. */
  get size(): number {
    return this.#files.size;
  }

  /** Lets go of files that may have been removed. To be called before the index is asked. */
  refresh(): void {
    const removals = Atomics.load(this.#control, REMOVALS);
    if (removals === this.#removals) return;
    this.closeAll();
    this.#removals = removals;
  }

  /** The file of a segment; undefined if there is none any more. */
  get(fileId: number): File | undefined {
    return this.#files.get(fileId) ?? this.#open(fileId);
  }

  /** Closes everything. A read that is under way comes to its end. */
  closeAll(): void {
    this.#look?.cancel();
    this.#look = undefined;
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }

  #open(fileId: number): File | undefined {
    let file: File;
    try {
      file = this.#fs.open(joinPath(this.#directory, segmentName(fileId)), "read");
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    if (this.#files.size === FILES_MAX) {
      const [[oldestId, oldest]] = this.#files as unknown as [[number, File]];
      this.#files.delete(oldestId);
      oldest.close();
    }
    this.#files.set(fileId, file);
    this.#look ??= this.#lookLater();
    return file;
  }

  #lookLater(): ScheduledTask {
    return this.#clock.schedule(
      LOOK_MS,
      () => {
        this.#look = undefined;
        this.refresh();
        if (this.#files.size > 0) this.#look = this.#lookLater();
      },
      true,
    );
  }
}
