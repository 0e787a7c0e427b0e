/** Builds segments frame by frame, for tests of what reads them. */

import {
  CHAIN_START,
  encodeBatchHeader,
  encodeSegmentHeader,
  encodeSyncMark,
  extendChain,
  SEGMENT_FRAME_BYTES,
  SYNC_FRAME_BYTES,
  type SyncMark,
} from "../../lib/format/control_record.ts";
import {
  allocateBuffer,
  BATCH_VALUE_BYTES,
  FRAME_OVERHEAD_BYTES,
  isDataOp,
  OP_SET,
} from "../../lib/format/record.ts";
import { joined } from "./disk_image.ts";
import { makeFrame } from "./frames.ts";

/** The store whose segments these are. */
export const NODE_ID = Uint8Array.from({ length: 16 }, (_, index) => index + 1);

/** Appends frames; every call returns the builder. */
export class SegmentBuilder {
  /** What was built so far. */
  bytes: Uint8Array = new Uint8Array(0);
  readonly fileId: number;
  #lsn: number;
  #chain = CHAIN_START;
  #records = 0;

  constructor({ fileId = 1, firstLsn = 1, compacted = false, nodeId = NODE_ID } = {}) {
    this.fileId = fileId;
    this.#lsn = firstLsn - 1;
    const buffer = allocateBuffer(SEGMENT_FRAME_BYTES);
    encodeSegmentHeader(buffer, 0, { fileId, compacted, createdAt: 0, nodeId, firstLsn });
    this.raw(buffer.bytes);
  }

  /** Length so far. */
  get length(): number {
    return this.bytes.length;
  }

  /** A record; by default with the LSN that follows. */
  record(key: string, value = "", { op = OP_SET, lsn = this.#lsn + 1 } = {}): this {
    return this.raw(makeFrame(op, lsn, key, new TextEncoder().encode(value)), lsn);
  }

  /** A mark; by default a true one that calls everything before it durable. */
  mark(changes: Partial<SyncMark> = {}): this {
    const buffer = allocateBuffer(SYNC_FRAME_BYTES);
    encodeSyncMark(buffer, 0, {
      durableOffset: this.length,
      ownOffset: this.length,
      fileId: this.fileId,
      recordCount: this.#records,
      chain: this.#chain,
      durableLsn: this.#lsn,
      ...changes,
    });
    return this.raw(buffer.bytes);
  }

  /** The frame that announces a batch. */
  batchHeader(count: number, byteLength: number, lastLsn = this.#lsn + count): this {
    const buffer = allocateBuffer(FRAME_OVERHEAD_BYTES + BATCH_VALUE_BYTES);
    encodeBatchHeader(buffer, 0, lastLsn, count, byteLength);
    return this.raw(buffer.bytes);
  }

  /** A batch of sets. */
  batch(keys: readonly string[], value = ""): this {
    const frameBytes = keys
      .reduce((sum, key) => sum + FRAME_OVERHEAD_BYTES + key.length + value.length, 0);
    this.batchHeader(keys.length, frameBytes);
    for (const key of keys) this.record(key, value);
    return this;
  }

  /** Bytes as they are; a frame among them counts for the chain. */
  raw(bytes: Uint8Array, lsn?: number): this {
    this.bytes = joined(this.bytes, bytes);
    if (bytes.length >= FRAME_OVERHEAD_BYTES) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#chain = extendChain(this.#chain, view.getUint32(bytes.length - 4, true));
      if (isDataOp(bytes[6]!)) this.#records++;
    }
    if (lsn !== undefined) this.#lsn = lsn;
    return this;
  }
}
