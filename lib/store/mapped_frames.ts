/** The segments that are memory at the moment, for the index to fetch frames from ahead of reads. */

import { type FrameMemory, HINTED_FILES, hintedFile, hintedOffset } from "../index/frame_hint.ts";
import type { MappedBytes } from "../fs/file_system.ts";

/** Follows the hints of the index into mapped segments. */
export class MappedFrames implements FrameMemory {
  /** By the part of the file id that a hint has. Maps that were given up have no bytes to fetch. */
  readonly #maps: (MappedBytes | undefined)[] = Array(HINTED_FILES).fill(undefined);

  /** Fetches from this segment from now on, and from no other one with the same hints. */
  add({ fileId }: { fileId: number }, map: MappedBytes | undefined): void {
    this.#maps[fileId % HINTED_FILES] = map;
  }

  touch(hint: number): void {
    this.#maps[hintedFile(hint)]?.touch(hintedOffset(hint));
  }
}
