/** A reference index, a Map beside the real one, and the comparison of the two. */

import assert from "node:assert/strict";
import { frameHint, NO_HINT } from "../../lib/index/frame_hint.ts";
import { KeyIndex } from "../../lib/index/key_index.ts";

/** What the index keeps of a key. */
export interface Meta {
  fileId: number;
  offset: number;
  frameLength: number;
  crc: number;
  lsn: number;
  expiresAt: number;
}

/** Numbers that look random and are the same at every run. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Returns an integer from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * limit);
  }
}

/** Keys are kept as strings of one character per byte: Map keys that sort in byte order. */
export function toBytes(key: string): Uint8Array {
  const bytes = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) bytes[i] = key.charCodeAt(i);
  return bytes;
}

/** The inverse of {@link toBytes}. */
export function toKey(bytes: Uint8Array): string {
  let key = "";
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}

/** An index under test, with a Map that says what must be in it. */
export class IndexModel {
  index: KeyIndex;
  readonly entries = new Map<string, Meta>();
  /** Hash of a key; a test may make it a bad one. */
  hash: (bytes: Uint8Array) => number;
  #lsn = 0;

  constructor(options: { slabFirst?: number; hash?: (bytes: Uint8Array) => number } = {}) {
    this.index = new KeyIndex({ hashSeed: 99, slabFirst: options.slabFirst ?? 0 });
    this.hash = options.hash ?? ((bytes) => this.index.hash(bytes, 0, bytes.length));
  }

  find(key: string): number {
    const bytes = toBytes(key);
    return this.index.find(this.hash(bytes), bytes, 0, bytes.length);
  }

  /** Inserts or updates. */
  set(key: string, expiresAt = 0): void {
    const bytes = toBytes(key);
    const hash = this.hash(bytes);
    const lsn = ++this.#lsn;
    const meta: Meta = {
      // Values that use the upper bits of every field.
      fileId: (lsn * 2654435761) >>> 0,
      offset: (lsn * 40503) % 2 ** 31,
      frameLength: lsn % 3 === 0 ? 2 ** 31 - 1 - lsn : lsn % 1025,
      crc: ~lsn >>> 0,
      lsn: 2 ** 48 - 1 - lsn,
      expiresAt,
    };
    const { fileId, offset, frameLength, crc } = meta;
    const found = this.index.find(hash, bytes, 0, bytes.length);
    const address = found === 0
      ? this.index.insert(
        hash,
        bytes,
        0,
        bytes.length,
        fileId,
        offset,
        frameLength,
        crc,
        meta.lsn,
        expiresAt,
      )
      : this.index.update(found, fileId, offset, frameLength, crc, meta.lsn, expiresAt);
    assert.notEqual(address, 0);
    this.entries.set(key, meta);
    this.checkRecord(address, key);
  }

  delete(key: string): void {
    const address = this.find(key);
    assert.equal(address !== 0, this.entries.has(key), `presence of ${JSON.stringify(key)}`);
    if (address === 0) return;
    this.index.remove(address);
    this.entries.delete(key);
  }

  relocate(key: string, fileId: number, offset: number): void {
    const meta = this.entries.get(key);
    if (meta === undefined) return;
    this.index.relocate(this.find(key), fileId, offset);
    meta.fileId = fileId;
    meta.offset = offset;
  }

  checkRecord(address: number, key: string): void {
    const { index } = this;
    const meta = this.entries.get(key);
    if (meta === undefined) assert.fail(`${JSON.stringify(key)} must be absent`);
    assert.equal(index.fileId(address), meta.fileId);
    assert.equal(index.offset(address), meta.offset);
    assert.equal(index.frameLength(address), meta.frameLength);
    assert.equal(index.crc(address), meta.crc);
    assert.equal(index.lsn(address), meta.lsn);
    assert.equal(index.expiresAt(address), meta.expiresAt);
    assert.equal(index.keyLength(address), key.length);
  }

  keyAt(address: number): string {
    const target = new Uint8Array(this.index.keyLength(address));
    assert.equal(this.index.copyKey(address, target, 0), target.length);
    return toKey(target);
  }

  /** Looks a key up to read it, which is to begin to fetch its frame, and not much else. */
  checkHint(key: string): void {
    const bytes = toBytes(key);
    const { fileId, offset, frameLength } = this.entries.get(key)!;
    const touched: number[] = [];
    const frames = { touch: (hint: number) => void touched.push(hint) };
    this.index.find(this.hash(bytes), bytes, 0, bytes.length, frames);
    const hint = frameHint(fileId, offset, frameLength);
    if (hint !== NO_HINT) assert(touched.includes(hint), `the frame of ${JSON.stringify(key)}`);
    else assert(!touched.includes(NO_HINT));
  }

  /** Compares everything. */
  check(): void {
    const { index, entries } = this;
    assert.equal(index.size, entries.size);
    let keyBytes = 0;
    let expiryFirst = Infinity;
    for (const [key, meta] of entries) {
      const address = this.find(key);
      assert.notEqual(address, 0, `${JSON.stringify(key)} must be found`);
      this.checkRecord(address, key);
      this.checkHint(key);
      keyBytes += key.length;
      if (meta.expiresAt !== 0) expiryFirst = Math.min(expiryFirst, meta.expiresAt);
    }
    assert.equal(index.keyBytes(), keyBytes);
    assert.equal(index.nextExpiry(), expiryFirst);
    const walked = this.walkAll();
    assert.equal(walked.length, entries.size);
    assert.equal(new Set(walked).size, entries.size);
    if (index.orderReady) this.checkOrder();
  }

  walkAll(): string[] {
    const keys: string[] = [];
    const visit = (address: number) => void keys.push(this.keyAt(address));
    for (let cursor = 0; cursor >= 0;) cursor = this.index.walk(cursor, visit);
    return keys;
  }

  checkOrder(): void {
    const expected = [...this.entries.keys()].sort();
    const out = new Uint32Array(expected.length + 1);
    for (const reverse of [false, true]) {
      const count = this.index.collect({ lowerInclusive: true, reverse }, out.length, out);
      const actual = [...out.subarray(0, count)].map((address) => this.keyAt(address));
      assert.deepEqual(actual, reverse ? expected.toReversed() : expected);
    }
  }
}
