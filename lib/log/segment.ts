/** One file of the log, as it is known in memory. */

import { CHAIN_START } from "../format/control_record.ts";
import type { File } from "../fs/file_system.ts";
import { PinnedFile } from "./pinned_file.ts";
import { Waypoints } from "./waypoints.ts";

/**
 * A log segment with its figures. `length = aliveBytes + tombstoneBytes + controlBytes + superseded
 * records`, always: every change of one is a change of another. Compaction retires it when it is no
 * longer part of the log.
 */
export class Segment extends PinnedFile {
  readonly fileId: number;
  /** Written by compaction. */
  readonly compacted: boolean;
  /** No record in it has a smaller LSN. */
  readonly firstLsn: number;
  /** The newest LSN in it; `firstLsn - 1` while it holds no record. */
  lastLsn: number;
  /** Bytes of the segment, those still in the writer's buffer included. */
  length = 0;
  /** Bytes from the beginning that are known to be on stable storage. */
  durableLength = 0;
  /** Bytes of frames that are the current state of a key. */
  aliveBytes = 0;
  /** Bytes of DELETE frames. */
  tombstoneBytes = 0;
  /** Bytes of frames that are not about a key. */
  controlBytes = 0;
  /** Frames that are about a key. */
  recordCount = 0;
  /** The checksum chain over all frames. */
  chain = CHAIN_START;
  /** The part of the segment that a hint file on disk stands for. */
  hintedLength = 0;
  /** Bytes from the beginning for which a memory map was asked. */
  mappedLength = 0;
  /** Records read beyond those bytes since then. */
  unmappedReads = 0;
  /** Where some of its records lie. */
  readonly waypoints = new Waypoints();

  constructor(fileId: number, file: File, compacted: boolean, firstLsn: number) {
    super(file);
    this.fileId = fileId;
    this.compacted = compacted;
    this.firstLsn = firstLsn;
    this.lastLsn = firstLsn - 1;
  }

  /** Bytes of sets that were overwritten, deleted, or have expired. */
  get supersededBytes(): number {
    return this.length - this.aliveBytes - this.tombstoneBytes - this.controlBytes;
  }
}
