/** The file ACTIVE on disk: read at opening, replaced durably whenever the set of segments changes. */

import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import {
  ACTIVE_BYTES_LIMIT,
  type ActiveState,
  decodeActive,
  encodeActive,
} from "../format/active.ts";
import { ACTIVE_NAME, joinPath } from "../format/filename.ts";
import { replaceDurably, replaceDurablyAsync } from "../fs/durable.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { readFile } from "../fs/whole_file.ts";
import { FILE_ID_LIMIT } from "../limits.ts";
import type { Segment } from "./segment.ts";

/** Reads ACTIVE; undefined if there is none. Throws `CorruptLog` or `Unsupported`. */
export function readActive(fs: FileSystem, directory: string): ActiveState | undefined {
  const path = joinPath(directory, ACTIVE_NAME);
  if (fs.stat(path) === undefined) return undefined;
  const decoded = decodeActive(readFile(fs, path, ACTIVE_BYTES_LIMIT));
  if ("message" in decoded) {
    if (decoded.unfinished) {
      throw new KvError(
        "CorruptLog",
        `The store in ${directory} is unfinished: a backup, restore or repair is writing it, or ` +
          `was interrupted; if none runs, remove the directory and run it again`,
        { path },
      );
    }
    throw decoded.unsupported
      ? new KvError("Unsupported", `Cannot read ${path}: ${decoded.message}; use a newer Cairn`, {
        path,
      })
      : new KvError(
        "CorruptLog",
        `${path} is damaged: ${decoded.message}; nothing was changed, ${DAMAGE_ADVICE}`,
        { path },
      );
  }
  return decoded;
}

/** The content of ACTIVE, in memory and on disk. */
export class ActiveFile {
  #fs: FileSystem;
  #directory: string;
  #state: ActiveState;

  constructor(fs: FileSystem, directory: string, state: ActiveState) {
    this.#fs = fs;
    this.#directory = directory;
    this.#state = state;
  }

  /** Identity of the store. */
  get nodeId(): Uint8Array {
    return this.#state.nodeId;
  }

  /** The newest delete or expired record that compaction has dropped. */
  get droppedLsn(): number {
    return this.#state.droppedLsn;
  }

  /** Takes an id that no file has had. It stays taken even if nothing comes of the file. */
  takeFileId(): number {
    const fileId = this.#state.nextFileId;
    if (fileId >= FILE_ID_LIMIT) {
      throw new KvError("Unsupported", "The store has used up all file ids: export and import it");
    }
    this.#state.nextFileId = fileId + 1;
    return fileId;
  }

  /**
   * Sees to it that ids below `nextFileId` are not given to files: not even after a crash, once
   * ACTIVE was replaced. Returns whether it has to be for that.
   */
  reserveFileIds(nextFileId: number): boolean {
    if (nextFileId <= this.#state.nextFileId) return false;
    this.#state.nextFileId = nextFileId;
    return true;
  }

  /** Notes how much of the newest segment is durable, so that a shorter one is known for damaged. */
  noteDurable(segments: readonly Segment[]): void {
    const noted = this.#state.segments.at(-1);
    const newest = segments.at(-1);
    const isNews = noted?.fileId !== newest?.fileId || noted?.length !== newest?.durableLength;
    if (isNews) this.replace(segments);
  }

  /** What ACTIVE would say of these segments now. The last one is the one being appended to. */
  describe(
    segments: readonly Segment[],
    droppedLsn: number = this.#state.droppedLsn,
  ): ActiveState {
    return {
      ...this.#state,
      droppedLsn,
      segments: segments.map(({ fileId, length, durableLength, chain }, index) =>
        index === segments.length - 1
          ? { fileId, length: durableLength, chain: 0 }
          : { fileId, length, chain }
      ),
    };
  }

  /** Replaces the list of segments, durably. The last one is the one being appended to. */
  replace(segments: readonly Segment[], droppedLsn: number = this.#state.droppedLsn): void {
    const state = this.describe(segments, droppedLsn);
    replaceDurably(this.#fs, this.#directory, ACTIVE_NAME, encodeActive(state));
    this.#state = state;
  }

  /**
   * As {@link replace}, without blocking the event loop. It ends without effect as soon as `isWanted`
   * says no; until then, nobody else may replace the list.
   */
  async replaceAsync(segments: readonly Segment[], isWanted: () => boolean): Promise<void> {
    const state = this.describe(segments);
    const bytes = encodeActive(state);
    await replaceDurablyAsync(this.#fs, this.#directory, ACTIVE_NAME, bytes, isWanted);
    // Ids that were taken meanwhile stay taken.
    if (isWanted()) this.#state = { ...state, nextFileId: this.#state.nextFileId };
  }
}
