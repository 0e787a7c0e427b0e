/** Writes on their way to the disk: what is known of each until it is durable and visible. */

import type { Segment } from "../log/segment.ts";

const KEYS_BYTES = 16 * 1024;
const HASHES = 1024;
/** Longer keys are copied by the runtime, shorter ones more quickly byte by byte. */
const LOOPED_KEY_BYTES_MAX = 48;

/** Is told what became of one write, once; neither function may throw. */
export interface WriteListener {
  /** It counts as done. `created` says that the key is new; false of a delete. */
  written(version: number, created: boolean): void;
  /** It has failed. */
  failed(error: unknown): void;
}

/** Writes that share an fsync, with their keys side by side in one buffer. */
export class WriteGroup {
  /** In the order of the log. */
  writes: PendingWrite[] = [];
  /** Their keys. */
  keys = new Uint8Array(KEYS_BYTES);
  /** Bytes of `keys` in use. */
  keysUsed = 0;
  /** The hashes of the keys, in the same order. */
  hashes = new Int32Array(HASHES);

  /** Takes the hash of the write that is added next. */
  addHash(hash: number): void {
    const at = this.writes.length;
    if (at === this.hashes.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.hashes);
      this.hashes = larger;
    }
    this.hashes[at] = hash;
  }

  /** Copies a key in and returns where it begins. */
  addKey(bytes: Uint8Array, start: number, length: number): number {
    const at = this.keysUsed;
    if (at + length > this.keys.length) {
      const larger = new Uint8Array(Math.max(this.keys.length * 2, at + length));
      larger.set(this.keys.subarray(0, at));
      this.keys = larger;
    }
    if (length > LOOPED_KEY_BYTES_MAX) this.keys.set(bytes.subarray(start, start + length), at);
    else for (let index = 0; index < length; index++) this.keys[at + index] = bytes[start + index]!;
    this.keysUsed = at + length;
    return at;
  }

  /** Forgets its writes, all of which are dealt with. */
  clear(): void {
    this.writes = [];
    this.keysUsed = 0;
    if (this.keys.length > 64 * KEYS_BYTES) this.keys = new Uint8Array(KEYS_BYTES);
    if (this.hashes.length > 64 * HASHES) this.hashes = new Int32Array(HASHES);
  }
}

/** A record in the log that is not yet durable. */
export interface PendingWrite {
  group: WriteGroup;
  keyStart: number;
  keyLength: number;
  hash: number;
  isDelete: boolean;
  segment: Segment;
  offset: number;
  frameLength: number;
  crc: number;
  lsn: number;
  expiresAt: number;
  /** The write before this one, in flight as well, whose key has the same hash; once looked for. */
  previousOfHash: PendingWrite | undefined;
  /** Whether it was accepted because its key existed, which has no say in it any more if it expires. */
  replaces: boolean;
  /** Whether its key did not exist before it; known once it is visible. */
  created: boolean;
  /** Who waits for it; of a batch, only its last write has one. */
  listener: WriteListener | undefined;
}

/** Whether a write in flight is about this key. */
export function hasKey(
  write: PendingWrite,
  bytes: Uint8Array,
  start: number,
  length: number,
): boolean {
  if (write.keyLength !== length) return false;
  const { keys } = write.group;
  for (let index = 0; index < length; index++) {
    if (keys[write.keyStart + index] !== bytes[start + index]) return false;
  }
  return true;
}
