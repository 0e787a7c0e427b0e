/**
 * Writes salvaged records as a new store: segments as compaction writes them, with ascending LSNs
 * that have gaps, then an empty one to append to.
 */

import { encodeSyncMark, extendChain, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import { encodeActive } from "../format/active.ts";
import { NODE_ID_NAME } from "../format/filename.ts";
import { encodeNodeId } from "../format/node_id.ts";
import { allocateBuffer, type ByteBuffer } from "../format/record.ts";
import { replaceDurably } from "../fs/durable.ts";
import { writeFully } from "../fs/whole_file.ts";
import { SEGMENT_BYTES_MAX_DEFAULT } from "../limits.ts";
import { ActiveFile } from "../log/active_file.ts";
import type { Segment } from "../log/segment.ts";
import { createSegment } from "../log/segment_file.ts";
import type { NewStore } from "./new_store.ts";

const BUFFER_BYTES = 1 << 20;

/** The log of a store in the making. {@link finish} or {@link close} ends it. */
export class SalvageWriter {
  #store: NewStore;
  #active: ActiveFile;
  #createdAt: number;
  #segments: Segment[] = [];
  #segment: Segment | undefined;
  #buffer: ByteBuffer = allocateBuffer(BUFFER_BYTES);
  #used = 0;
  #written = 0;

  /** Writes into `store`. `createdAt` is in milliseconds since the epoch. */
  constructor(store: NewStore, nodeId: Uint8Array, createdAt: number) {
    this.#store = store;
    this.#createdAt = createdAt;
    this.#active = new ActiveFile(store.fs, store.directory, {
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
    this.close();
    const { fs, directory } = this.#store;
    replaceDurably(fs, directory, NODE_ID_NAME, encodeNodeId(this.#active.nodeId));
    this.#store.finish(encodeActive(this.#active.describe(this.#segments, droppedLsn)));
  }

  /** Closes what is open. */
  close(): void {
    this.#segment?.file.close();
    this.#segment = undefined;
  }

  #segmentFor(frameLength: number, lsn: number): Segment {
    const { length = 0, recordCount = 0 } = this.#segment ?? {};
    const lengthAfter = length + frameLength + SYNC_FRAME_BYTES;
    if (recordCount > 0 && lengthAfter > SEGMENT_BYTES_MAX_DEFAULT) this.#closeSegment();
    return this.#segment ?? this.#openSegment(lsn, true);
  }

  #openSegment(firstLsn: number, compacted: boolean): Segment {
    const fileId = this.#active.takeFileId();
    const segment = createSegment(this.#store.fs, this.#store.directory, {
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
