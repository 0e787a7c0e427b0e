/** The newest sound record of each key among all segments: which, and where it is. */

import { isUtf8 } from "node:buffer";
import {
  FRAME_HEADER_BYTES,
  isDataOp,
  OP_DELETE,
  OP_SET_EXPIRING,
  readFrameCrc,
  readU64,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { KeyIndex } from "../index/key_index.ts";
import { EXPIRES_AT_LIMIT } from "../limits.ts";
import { SegmentReader } from "../log/segment_reader.ts";
import type { FrameRun } from "./segment_survey.ts";
import type { LsnRange } from "./segment_losses.ts";

/** Where a record lies: in which of the source's segments, counted from 1, and at which offset. */
export interface RecordPlace {
  segmentNumber: number;
  offset: number;
  frameLength: number;
  lsn: number;
  crc: number;
}

/** Gathers records. Memory: the index of the store, and 4 bytes a key for putting it in order. */
export class SalvageIndex {
  /** Records taken, overwritten ones included. */
  recordsReadable = 0;

  #index: KeyIndex;

  /** `hashSeed` is any 32-bit integer, best a random one. */
  constructor(hashSeed: number) {
    this.#index = new KeyIndex({ hashSeed });
  }

  /** Number of keys, deleted ones included. */
  get size(): number {
    return this.#index.size;
  }

  /**
   * Takes the records of one run, except those in `leftOut`. Returns the offset up to which it could
   * be read again: its end, unless the file changes meanwhile or the disk fails.
   */
  takeRun(
    file: File,
    run: FrameRun,
    segmentNumber: number,
    leftOut: readonly LsnRange[],
    reject: (offset: number, length: number, reason: string) => void,
  ): number {
    const reader = new SegmentReader(file, run.start, run.end);
    while (reader.next()) {
      const { op, lsn, frameLength } = reader.header;
      if (!isDataOp(op)) continue;
      if (leftOut.some(({ firstLsn, lastLsn }) => lsn >= firstLsn && lsn <= lastLsn)) continue;
      const wrong = findImpossible(reader);
      if (wrong !== undefined) reject(reader.offset, frameLength, wrong);
      else this.#take(reader, segmentNumber);
    }
    return reader.offset;
  }

  /** The newest record of each key, in order of their LSNs. */
  *inOrder(): Generator<RecordPlace> {
    const index = this.#index;
    const addresses = new Uint32Array(index.size);
    let count = 0;
    let cursor = 0;
    while (cursor !== -1) cursor = index.walk(cursor, (address) => addresses[count++] = address);
    addresses.sort((left, right) => index.lsn(left) - index.lsn(right));
    for (const address of addresses) {
      yield {
        segmentNumber: index.fileId(address),
        offset: index.offset(address),
        frameLength: index.frameLength(address),
        lsn: index.lsn(address),
        crc: index.crc(address),
      };
    }
  }

  #take(reader: SegmentReader, segmentNumber: number): void {
    const { header, buffer, at, offset } = reader;
    const { op, lsn, keyLength, frameLength } = header;
    const { bytes } = buffer;
    const keyStart = at + FRAME_HEADER_BYTES;
    const crc = readFrameCrc(buffer.view, at, frameLength);
    this.recordsReadable++;
    const index = this.#index;
    const hash = index.hash(bytes, keyStart, keyLength);
    const address = index.find(hash, bytes, keyStart, keyLength);
    if (address === 0) {
      index.insert(
        hash,
        bytes,
        keyStart,
        keyLength,
        segmentNumber,
        offset,
        frameLength,
        crc,
        lsn,
        0,
      );
      return;
    }
    // Compaction turns an expired value into a delete of the same LSN; then that is the newer one.
    const isNewer = lsn > index.lsn(address) || (lsn === index.lsn(address) && op === OP_DELETE);
    if (isNewer) index.update(address, segmentNumber, offset, frameLength, crc, lsn, 0);
  }
}

/** Why a record whose checksum holds cannot be one of Cairn's; undefined if it can. */
function findImpossible({ header, buffer, at }: SegmentReader): string | undefined {
  const { op, keyLength } = header;
  const keyStart = at + FRAME_HEADER_BYTES;
  if (!isUtf8(buffer.bytes.subarray(keyStart, keyStart + keyLength))) return "impossible key";
  if (op !== OP_SET_EXPIRING) return undefined;
  const expiresAt = readU64(buffer.view, keyStart + keyLength);
  return expiresAt < 1 || expiresAt > EXPIRES_AT_LIMIT ? "impossible expiry" : undefined;
}
