/** Reads the fields of a record by its address; record_layout.ts says which words hold them. */

import { SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import {
  CRC,
  expiresAtAt,
  FILE_ID,
  FRAME_LENGTH,
  HASH,
  keyLengthAt,
  lsnAt,
  OFFSET,
  OFFSET_MASK,
  readKey,
} from "./record_layout.ts";

/** Gives access to records. */
export class RecordReader {
  /** The memory that addresses point into. */
  protected readonly slabs: Int32Array[];

  /** Creates a reader of the records in `slabs`. */
  constructor(slabs: Int32Array[]) {
    this.slabs = slabs;
  }

  /** The file that holds the record's frame. */
  fileId(address: number): number {
    return this.slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + FILE_ID]! >>> 0;
  }

  /** Where in the file the frame begins. */
  offset(address: number): number {
    return this.slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + OFFSET]! & OFFSET_MASK;
  }

  /** Length of the frame in bytes. */
  frameLength(address: number): number {
    return this.slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + FRAME_LENGTH]!;
  }

  /** CRC of the frame. */
  crc(address: number): number {
    return this.slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + CRC]! >>> 0;
  }

  /** LSN of the record. */
  lsn(address: number): number {
    return lsnAt(this.slabs[address >>> SLAB_SHIFT]!, address & SLAB_MASK);
  }

  /** When the record expires, in milliseconds since the epoch, or 0 for never. */
  expiresAt(address: number): number {
    return expiresAtAt(this.slabs[address >>> SLAB_SHIFT]!, address & SLAB_MASK);
  }

  /** Hash of the record's key. */
  hashOf(address: number): number {
    return this.slabs[address >>> SLAB_SHIFT]![(address & SLAB_MASK) + HASH]!;
  }

  /** Length of the record's key in bytes. */
  keyLength(address: number): number {
    return keyLengthAt(this.slabs[address >>> SLAB_SHIFT]!, address & SLAB_MASK);
  }

  /** Copies the record's key to `target`, which must have room for it. Returns its length. */
  copyKey(address: number, target: Uint8Array, targetOffset: number): number {
    return readKey(
      this.slabs[address >>> SLAB_SHIFT]!,
      address & SLAB_MASK,
      target,
      targetOffset,
    );
  }
}
