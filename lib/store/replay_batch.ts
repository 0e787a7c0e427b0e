/**
 * What replay does with the records it has read: a few at a time, because the machine can wait for
 * many scattered reads of the index at once, and early enough that the index grows before it is full.
 */

import { OP_DELETE, OP_SET_EXPIRING } from "../format/record.ts";
import { RecordColumns } from "../log/record_columns.ts";
import type { Segment } from "../log/segment.ts";
import type { SegmentScanner } from "../log/segment_scanner.ts";
import type { Keydir } from "./keydir.ts";

/** Records in a batch. */
const RECORDS_MAX = 32;
/** Keys from which on the index is prepared for growing. */
const KEYS_MIN = 4096;
/** It is prepared for so many times the keys that there are, at most: nobody knows what will come. */
const GROWTH_MAX = 4;
/** With so many keys it may be more, up to half a million: even if none of them came, that is 8 MiB. */
const KEYS_MANY = 1 << 14;
const KEYS_AHEAD = 1 << 19;

/** Applies records to the key directory, in the order in which they were added. */
export class ReplayBatch {
  /** Records applied. */
  records = 0;
  /** Bytes of the log before the current segment, of all there are. */
  bytesBefore = 0;

  readonly #keydir: Keydir;
  readonly #logBytes: number;
  /** Values that expire by this time are gone. */
  readonly #now: number;
  readonly #keysAtStart: number;
  /** Number of keys at which the index is prepared for more the next time. */
  #keysNext: number;

  // The records that wait, whose keys lie in bytes that the caller owns.
  readonly #records = new RecordColumns(RECORDS_MAX);
  readonly #hashes = new Int32Array(RECORDS_MAX);
  #bytes: Uint8Array = new Uint8Array(0);
  #segment: Segment | undefined;

  /** What was read ahead; see `KeyIndex.touch`. */
  touched = 0;

  /** Begins with what is in the key directory; the log has `logBytes`. */
  constructor(keydir: Keydir, logBytes: number, now: number) {
    this.#keydir = keydir;
    this.#logBytes = logBytes;
    this.#now = now;
    this.#keysAtStart = keydir.index.size;
    this.#keysNext = Math.max(KEYS_MIN, 2 * this.#keysAtStart);
  }

  /**
   * Adds a record whose key is in `bytes`, which must not change before {@link ReplayBatch.apply} was
   * called.
   */
  add(
    op: number,
    bytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    segment: Segment,
    offset: number,
    frameLength: number,
    crc: number,
    lsn: number,
    expiresAt: number,
  ): void {
    const records = this.#records;
    this.#begin(bytes, segment);
    const at = records.count++;
    records.keyStarts[at] = keyStart;
    records.keyLengths[at] = keyLength;
    records.offsets[at] = offset;
    // An expired value hides older ones of its key, just as a delete does.
    const isGone = op === OP_DELETE || (op === OP_SET_EXPIRING && expiresAt <= this.#now);
    records.frameLengths[at] = isGone ? 0 : frameLength;
    records.crcs[at] = crc;
    records.lsns[at] = lsn;
    records.expiresAt[at] = expiresAt;
  }

  /** Adds what `SegmentScanner.takeValues` has; returns how many records these are. */
  addValues(scanner: SegmentScanner, segment: Segment): number {
    const records = this.#records;
    const before = scanner.recordCount;
    do {
      this.#begin(scanner.reader.buffer.bytes, segment);
      scanner.takeValues(records, RECORDS_MAX);
    } while (records.count === RECORDS_MAX);
    return scanner.recordCount - before;
  }

  /** Makes room for a record. */
  #begin(bytes: Uint8Array, segment: Segment): void {
    if (this.#records.count === RECORDS_MAX || bytes !== this.#bytes) this.apply();
    this.#bytes = bytes;
    this.#segment = segment;
  }

  /** Applies what was added. */
  apply(): void {
    const records = this.#records;
    const { count, keyStarts, keyLengths } = records;
    if (count === 0) return;
    records.count = 0;
    const { index } = this.#keydir;
    const hashes = this.#hashes;
    const bytes = this.#bytes;
    for (let at = 0; at < count; at++) {
      hashes[at] = index.hash(bytes, keyStarts[at]!, keyLengths[at]!);
    }
    this.touched = index.touch(hashes, 0, count, false);
    for (let at = 0; at < count; at++) this.#applyAt(at);
    this.records += count;
    if (index.size >= this.#keysNext) this.#prepareIndex(records.offsets[count - 1]!);
  }

  #applyAt(at: number): void {
    const records = this.#records;
    const frameLength = records.frameLengths[at]!;
    const hash = this.#hashes[at]!;
    const keyStart = records.keyStarts[at]!;
    const keyLength = records.keyLengths[at]!;
    if (frameLength === 0) {
      this.#keydir.delete(hash, this.#bytes, keyStart, keyLength);
      return;
    }
    this.#keydir.set(
      hash,
      this.#bytes,
      keyStart,
      keyLength,
      this.#segment!,
      records.offsets[at]!,
      frameLength,
      records.crcs[at]!,
      records.lsns[at]!,
      records.expiresAt[at]!,
    );
  }

  /** Lets the index prepare for the keys that will be there if the log goes on as it was. */
  #prepareIndex(offset: number): void {
    const { index } = this.#keydir;
    const { size } = index;
    const bytesDone = this.bytesBefore + offset;
    const growth = (size - this.#keysAtStart) / bytesDone;
    const expected = size + growth * Math.max(0, this.#logBytes - bytesDone);
    const keysMax = Math.max(size * GROWTH_MAX, size < KEYS_MANY ? 0 : KEYS_AHEAD);
    index.reserve(Math.min(expected, keysMax));
    this.#keysNext = size * 2;
  }
}
