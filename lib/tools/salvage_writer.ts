/**
 * Writes salvaged records as a new store: segments as compaction writes them, with ascending LSNs
 * that have gaps, then an empty one to append to. None of it counts until ACTIVE is there, which
 * comes last, after everything it names is durable.
 */

import { encodeSyncMark, extendChain, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import { ACTIVE_NAME, NODE_ID_NAME, segmentName } from "../format/filename.ts";
import { formatNodeId } from "../format/node_id.ts";
import { allocateBuffer, type ByteBuffer } from "../format/record.ts";
import { removeDurably, replaceDurably } from "../fs/durable.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { writeFully } from "../fs/whole_file.ts";
import { SEGMENT_BYTES_MAX_DEFAULT } from "../limits.ts";
import { ActiveFile } from "../log/active_file.ts";
import type { Segment } from "../log/segment.ts";
import { createSegment } from "../log/segment_file.ts";

const BUFFER_BYTES = 1 << 20;

/** A store in the making. {@link finish} or {@link abort} ends it. */
export class SalvageWriter {
  #fs: FileSystem;
  #directory: string;
  #active: ActiveFile;
  #createdAt: number;
  /** Of all files begun, complete or not. */
  #fileIds: number[] = [];
  #segments: Segment[] = [];
  #segment: Segment | undefined;
  #buffer: ByteBuffer = allocateBuffer(BUFFER_BYTES);
  #used = 0;
  #written = 0;

  /**
   * Writes into `directory`, the log's, which exists and is empty. `createdAt` is in milliseconds
   * since the epoch.
   */
  constructor(fs: FileSystem, directory: string, nodeId: Uint8Array, createdAt: number) {
    this.#fs = fs;
    this.#directory = directory;
    this.#createdAt = createdAt;
    this.#active = new ActiveFile(fs, directory, {
      nodeId,
      droppedLsn: 0,
      nextFileId: 1,
      segments: [],
    });
  }

  /** Adds a sound frame, whose LSN is above all before. Throws `Io` and `NoSpace`. */
  append(frame: Uint8Array, frameLength: number, lsn: number, crc: number): void {
    const segment = this.#segmentFor(frameLength, lsn);
    this.#reserve(frameLength);
    this.#buffer.bytes.set(frame.subarray(0, frameLength), this.#used);
    this.#used += frameLength;
    segment.length += frameLength;
    segment.lastLsn = lsn;
    segment.recordCount++;
    segment.chain = extendChain(segment.chain, crc);
  }

  /** Makes the store whole: its next record gets the LSN `lsnNext`. */
  finish(lsnNext: number, droppedLsn: number): void {
    this.#closeSegment();
    this.#openSegment(lsnNext, false);
    this.#segment?.file.close();
    this.#segment = undefined;
    const nodeId = new TextEncoder().encode(`${formatNodeId(this.#active.nodeId)}\n`);
    replaceDurably(this.#fs, this.#directory, NODE_ID_NAME, nodeId);
    this.#active.replace(this.#segments, droppedLsn);
  }

  /** Removes what was written, as far as that is possible. */
  abort(): void {
    try {
      this.#segment?.file.close();
      const names = this.#fileIds.map(segmentName);
      removeDurably(this.#fs, this.#directory, [ACTIVE_NAME, NODE_ID_NAME, ...names]);
    } catch {
      // The error that led here matters more, and without ACTIVE nothing here is taken for a store.
    }
  }

  #segmentFor(frameLength: number, lsn: number): Segment {
    const { length = 0, recordCount = 0 } = this.#segment ?? {};
    const lengthAfter = length + frameLength + SYNC_FRAME_BYTES;
    if (recordCount > 0 && lengthAfter > SEGMENT_BYTES_MAX_DEFAULT) this.#closeSegment();
    return this.#segment ?? this.#openSegment(lsn, true);
  }

  #openSegment(firstLsn: number, compacted: boolean): Segment {
    const fileId = this.#active.takeFileId();
    this.#fileIds.push(fileId);
    const segment = createSegment(this.#fs, this.#directory, {
      fileId,
      compacted,
      createdAt: this.#createdAt,
      nodeId: this.#active.nodeId,
      firstLsn,
    });
    this.#segments.push(segment);
    this.#segment = segment;
    this.#written = segment.length;
    return segment;
  }

  #closeSegment(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#reserve(SYNC_FRAME_BYTES);
    const crc = encodeSyncMark(this.#buffer, this.#used, {
      // Nothing was synced yet. ACTIVE says how long the segment is, so nobody will ask.
      durableOffset: 0,
      ownOffset: segment.length,
      fileId: segment.fileId,
      recordCount: segment.recordCount,
      chain: segment.chain,
      durableLsn: segment.firstLsn - 1,
    });
    this.#used += SYNC_FRAME_BYTES;
    segment.length += SYNC_FRAME_BYTES;
    segment.chain = extendChain(segment.chain, crc);
    this.#writeOut();
    segment.file.sync();
    segment.file.close();
    this.#segment = undefined;
  }

  #reserve(byteLength: number): void {
    if (this.#buffer.bytes.length - this.#used >= byteLength) return;
    this.#writeOut();
    if (this.#buffer.bytes.length < byteLength) this.#buffer = allocateBuffer(byteLength);
  }

  #writeOut(): void {
    if (this.#used === 0) return;
    writeFully(this.#segment!.file, this.#buffer.bytes, 0, this.#used, this.#written);
    this.#written += this.#used;
    this.#used = 0;
  }
}
