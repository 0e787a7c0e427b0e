/** One file of the log, as it is known in memory. */

import { CHAIN_START } from "../format/control_record.ts";
import type { File } from "../fs/file_system.ts";
import { assert } from "../assert.ts";

/**
 * A log segment with its figures. `length = aliveBytes + tombstoneBytes + controlBytes + superseded
 * records`, always: every change of one is a change of another.
 */
export class Segment {
  readonly fileId: number;
  readonly file: File;
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

  #pins = 0;
  #retired = false;

  constructor(fileId: number, file: File, compacted: boolean, firstLsn: number) {
    this.fileId = fileId;
    this.file = file;
    this.compacted = compacted;
    this.firstLsn = firstLsn;
    this.lastLsn = firstLsn - 1;
  }

  /** Bytes of sets that were overwritten, deleted, or have expired. */
  get supersededBytes(): number {
    return this.length - this.aliveBytes - this.tombstoneBytes - this.controlBytes;
  }

  /** Keeps the file open until {@link unpin}, even if compaction retires the segment. */
  pin(): void {
    this.#pins++;
  }

  /** Takes back one {@link pin}. */
  unpin(): void {
    assert(this.#pins > 0, "unpin without pin");
    this.#pins--;
    if (this.#retired && this.#pins === 0) this.file.close();
  }

  /** The segment is no longer part of the log: its file closes once nobody reads it. */
  retire(): void {
    this.#retired = true;
    if (this.#pins === 0) this.file.close();
  }
}
