/**
 * The key directory: which record of the log is the current state of each key. It keeps the index
 * and the segments' figures in step, so that alive and dead bytes are exact at all times.
 */

import type { Clock } from "../clock.ts";
import type { KeyIndex } from "../index/key_index.ts";
import type { Segment } from "../log/segment.ts";
import type { SegmentSet } from "../log/segment_set.ts";
import { MappedFrames } from "./mapped_frames.ts";

/** What {@link Keydir.set} returns if the key was not there. */
export const ABSENT = -1;

/** Whether a key that had this expiry, or was {@link ABSENT}, does not exist now. */
export function isGone(expiresAt: number, clock: Clock): boolean {
  return expiresAt === ABSENT || (expiresAt !== 0 && expiresAt <= clock.now());
}

/** Index and segments, changed together. */
export class Keydir {
  readonly index: KeyIndex;
  readonly segments: SegmentSet;
  /** The segments that are memory, from which the index may fetch ahead. */
  readonly frames: MappedFrames = new MappedFrames();
  /** Called with the time of expiry whenever a key is given one. */
  onExpiring: (expiresAt: number) => void = () => {};
  /** Called with the length of every record that is no longer the state of a key. */
  onSuperseded: (frameLength: number) => void = () => {};

  /** What was read ahead, kept so that the reading is not left out. */
  #touched = 0;

  constructor(index: KeyIndex, segments: SegmentSet) {
    this.index = index;
    this.segments = segments;
  }

  /** Returns the address of a key's record, or 0. */
  find(bytes: Uint8Array, start: number, length: number): number {
    const { index } = this;
    return index.find(index.hash(bytes, start, length), bytes, start, length);
  }

  /** As {@link find}, for who reads the value next: fetching it begins meanwhile. */
  findToRead(bytes: Uint8Array, start: number, length: number): number {
    const { index } = this;
    return index.find(index.hash(bytes, start, length), bytes, start, length, this.frames);
  }

  /**
   * The key now has the value in this record. Returns when the one it had before expires, in
   * milliseconds since the epoch and 0 for never, or {@link ABSENT}.
   */
  set(
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    segment: Segment,
    offset: number,
    frameLength: number,
    crc: number,
    lsn: number,
    expiresAt: number,
  ): number {
    const { index } = this;
    segment.aliveBytes += frameLength;
    if (expiresAt !== 0) this.onExpiring(expiresAt);
    const address = index.find(hash, bytes, start, length);
    if (address === 0) {
      index.insert(
        hash,
        bytes,
        start,
        length,
        segment.fileId,
        offset,
        frameLength,
        crc,
        lsn,
        expiresAt,
      );
      return ABSENT;
    }
    const expiresAtBefore = index.expiresAt(address);
    this.#dropAlive(address);
    index.update(address, segment.fileId, offset, frameLength, crc, lsn, expiresAt);
    return expiresAtBefore;
  }

  /** Hastens the next calls about keys of these hashes, which are in the index as a rule. */
  touch(hashes: Int32Array, start: number, end: number): void {
    this.#touched ^= this.index.touch(hashes, start, end, true);
  }

  /** The key does not exist any more; nothing happens if it did not. */
  delete(hash: number, bytes: Uint8Array, start: number, length: number): void {
    const address = this.index.find(hash, bytes, start, length);
    if (address !== 0) this.removeAt(address);
  }

  /** As {@link delete}, for a key whose address is known. */
  removeAt(address: number): void {
    this.#dropAlive(address);
    this.index.remove(address);
  }

  /** The record at `address` now lies, unchanged, in another segment. */
  relocate(address: number, segment: Segment, offset: number): void {
    const frameLength = this.index.frameLength(address);
    this.segments.get(this.index.fileId(address)).aliveBytes -= frameLength;
    segment.aliveBytes += frameLength;
    this.index.relocate(address, segment.fileId, offset);
  }

  /**
   * Removes keys whose time is over, at most `limit`; returns how many. Their records need no
   * tombstone: they carry their own end.
   */
  expire(now: number, limit: number): number {
    let count = 0;
    while (count < limit) {
      const address = this.index.expireNext(now);
      if (address === 0) break;
      this.removeAt(address);
      count++;
    }
    return count;
  }

  /** Whether the key at `address` is past its time but not yet removed. */
  isExpired(address: number, clock: Clock): boolean {
    return isGone(this.index.expiresAt(address), clock);
  }

  #dropAlive(address: number): void {
    const frameLength = this.index.frameLength(address);
    this.segments.get(this.index.fileId(address)).aliveBytes -= frameLength;
    this.onSuperseded(frameLength);
  }
}
