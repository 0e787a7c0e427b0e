/**
 * What replay does with the records it has read: a few at a time, because the machine can wait for
 * many scattered reads of the index at once, and early enough that the index grows before it is full.
 */

import { OP_DELETE, OP_SET_EXPIRING } from "../format/record.ts";
import type { Segment } from "../log/segment.ts";
import type { Keydir } from "./keydir.ts";

/** Records in a batch. */
const RECORDS_MAX = 32;
/** Keys from which on the index is prepared for growing. */
const KEYS_MIN = 4096;
/** It is prepared for so many times the keys that there are, at most: nobody knows what will come. */
const GROWTH_MAX = 4;
/** With so many keys it may be more, up to a million: even if none of them came, that is 8 MiB. */
const KEYS_MANY = 1 << 14;
const KEYS_AHEAD = 1 << 20;

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
  #count = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #segment: Segment | undefined;
  readonly #hashes = new Int32Array(RECORDS_MAX);
  readonly #keyStarts = new Int32Array(RECORDS_MAX);
  readonly #keyLengths = new Int32Array(RECORDS_MAX);
  readonly #offsets = new Int32Array(RECORDS_MAX);
  /** 0 for a delete. */
  readonly #frameLengths = new Int32Array(RECORDS_MAX);
  readonly #crcs = new Uint32Array(RECORDS_MAX);
  readonly #lsns = new Float64Array(RECORDS_MAX);
  readonly #expiresAt = new Float64Array(RECORDS_MAX);

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
    if (this.#count === RECORDS_MAX || bytes !== this.#bytes) this.apply();
    const at = this.#count++;
    this.#bytes = bytes;
    this.#segment = segment;
    this.#hashes[at] = this.#keydir.index.hash(bytes, keyStart, keyLength);
    this.#keyStarts[at] = keyStart;
    this.#keyLengths[at] = keyLength;
    this.#offsets[at] = offset;
    // An expired value hides older ones of its key, just as a delete does.
    const isGone = op === OP_DELETE || (op === OP_SET_EXPIRING && expiresAt <= this.#now);
    this.#frameLengths[at] = isGone ? 0 : frameLength;
    this.#crcs[at] = crc;
    this.#lsns[at] = lsn;
    this.#expiresAt[at] = expiresAt;
  }

  /** Applies what was added. */
  apply(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    const { index } = this.#keydir;
    this.touched = index.touch(this.#hashes, count);
    for (let at = 0; at < count; at++) this.#applyAt(at);
    this.records += count;
    if (index.size >= this.#keysNext) this.#prepareIndex(this.#offsets[count - 1]!);
  }

  #applyAt(at: number): void {
    const frameLength = this.#frameLengths[at]!;
    const hash = this.#hashes[at]!;
    const keyStart = this.#keyStarts[at]!;
    const keyLength = this.#keyLengths[at]!;
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
      this.#offsets[at]!,
      frameLength,
      this.#crcs[at]!,
      this.#lsns[at]!,
      this.#expiresAt[at]!,
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
