/** The segment that a compaction writes, with its hint file; neither counts until ACTIVE names it. */

import { assert } from "../assert.ts";
import { encodeSyncMark, extendChain, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import { hintName, joinPath, segmentName } from "../format/filename.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  finishFrame,
  FRAME_HEADER_BYTES,
  frameLengthOf,
  OP_DELETE,
  writeFrameHeader,
} from "../format/record.ts";
import { tryToUnlink } from "../fs/durable.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { writeFullyAsync } from "../fs/whole_file.ts";
import type { ActiveFile } from "../log/active_file.ts";
import { HintWriter } from "../log/hint_writer.ts";
import type { Segment } from "../log/segment.ts";
import { beginSegment } from "../log/segment_file.ts";

const BUFFER_BYTES_MAX = 1 << 20;

/** A segment in the making. {@link finish} or {@link abort} ends it. */
export class CompactionOutput {
  readonly segment: Segment;

  #fs: FileSystem;
  #directory: string;
  #hint: HintWriter;
  #buffer: ByteBuffer;
  #used = 0;
  #written: number;
  #isHeaderDurable = false;

  /** Begins with room for a frame of `frameLength`. */
  constructor(
    fs: FileSystem,
    directory: string,
    active: ActiveFile,
    firstLsn: number,
    createdAt: number,
    segmentBytesMax: number,
    frameLength: number,
  ) {
    const bufferBytes = Math.max(frameLength, Math.min(BUFFER_BYTES_MAX, segmentBytesMax));
    this.#buffer = allocateBuffer(bufferBytes);
    this.#fs = fs;
    this.#directory = directory;
    const fileId = active.takeFileId();
    this.segment = beginSegment(fs, directory, {
      fileId,
      compacted: true,
      createdAt,
      nodeId: active.nodeId,
      firstLsn,
    });
    this.#written = this.segment.length;
    try {
      this.#hint = new HintWriter(fs, directory, fileId);
    } catch (error) {
      this.segment.retire();
      tryToUnlink(fs, this.segment.file.path);
      throw error;
    }
  }

  /** Whether a frame can be taken; if not, see {@link makeRoom}. */
  hasRoom(frameLength: number): boolean {
    return this.#buffer.bytes.length - this.#used >= frameLength && !this.#hint.isFull;
  }

  /** Makes room for a frame: writes what was taken so far, without blocking the event loop. */
  async makeRoom(frameLength: number): Promise<void> {
    const { file } = this.segment;
    if (!this.#isHeaderDurable) {
      // Records without the header that goes with them would look like a log that nobody knows.
      await file.syncAsync();
      this.#isHeaderDurable = true;
    }
    await writeFullyAsync(file, this.#buffer.bytes, 0, this.#used, this.#written);
    this.#written += this.#used;
    this.#used = 0;
    if (this.#buffer.bytes.length < frameLength) this.#buffer = allocateBuffer(frameLength);
    if (this.#hint.isFull) await this.#hint.writeOut();
  }

  /** Copies a frame as it is. */
  copy(
    op: number,
    lsn: number,
    crc: number,
    expiresAt: number,
    source: Uint8Array,
    at: number,
    keyLength: number,
    frameLength: number,
  ): void {
    assert(this.hasRoom(frameLength), "room was made for the frame");
    const keyStart = this.#used + FRAME_HEADER_BYTES;
    this.#buffer.bytes.set(source.subarray(at, at + frameLength), this.#used);
    this.#append(op, lsn, crc, expiresAt, keyStart, keyLength, frameLength);
  }

  /** Writes a tombstone in the place of an expired value, under the same LSN. */
  bury(lsn: number, source: Uint8Array, keyStart: number, keyLength: number): void {
    const frameLength = frameLengthOf(keyLength, 0);
    assert(this.hasRoom(frameLength), "room was made for the frame");
    const at = this.#used;
    writeFrameHeader(this.#buffer.view, at, OP_DELETE, lsn, keyLength, 0);
    this.#buffer.bytes.set(
      source.subarray(keyStart, keyStart + keyLength),
      at + FRAME_HEADER_BYTES,
    );
    const crc = finishFrame(this.#buffer, at, frameLength);
    this.#append(OP_DELETE, lsn, crc, 0, at + FRAME_HEADER_BYTES, keyLength, frameLength);
  }

  /** Completes segment and hint file, and makes both durable: the names of both with the hint. */
  async finish(): Promise<void> {
    const { segment } = this;
    const { recordCount, chain } = segment;
    await this.makeRoom(SYNC_FRAME_BYTES);
    const crc = encodeSyncMark(this.#buffer, this.#used, {
      // Nothing was synced yet. ACTIVE says how long the segment is, so nobody will ask.
      durableOffset: 0,
      ownOffset: segment.length,
      fileId: segment.fileId,
      recordCount,
      chain,
      durableLsn: segment.firstLsn - 1,
    });
    this.#used += SYNC_FRAME_BYTES;
    segment.length += SYNC_FRAME_BYTES;
    segment.controlBytes += SYNC_FRAME_BYTES;
    segment.chain = extendChain(chain, crc);
    await this.makeRoom(0);
    await segment.file.syncAsync();
    await this.#hint.finish({
      fileId: segment.fileId,
      coveredLength: segment.length,
      recordCount,
      chain,
      controlBytes: segment.controlBytes,
      lastLsn: segment.lastLsn,
    });
    segment.hintedLength = segment.length;
  }

  /** Gives everything up, files included. */
  abort(): void {
    this.segment.retire();
    this.#hint.abort();
    this.#fs.unlink(joinPath(this.#directory, segmentName(this.segment.fileId)));
    const hint = joinPath(this.#directory, hintName(this.segment.fileId));
    if (this.#fs.stat(hint) !== undefined) this.#fs.unlink(hint);
  }

  #append(
    op: number,
    lsn: number,
    crc: number,
    expiresAt: number,
    keyStart: number,
    keyLength: number,
    frameLength: number,
  ): void {
    const { segment } = this;
    const { bytes } = this.#buffer;
    this.#hint.add(
      op,
      lsn,
      segment.length,
      frameLength,
      crc,
      expiresAt,
      bytes,
      keyStart,
      keyLength,
    );
    this.#used += frameLength;
    segment.length += frameLength;
    segment.lastLsn = lsn;
    segment.recordCount++;
    if (op === OP_DELETE) segment.tombstoneBytes += frameLength;
    segment.chain = extendChain(segment.chain, crc);
  }
}
