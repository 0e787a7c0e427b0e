/**
 * The index in memory: for every key, where its record lies in the log, and what a read must know.
 *
 * A record is named by its **address**, a number that is never 0. An address stays valid only until
 * the next call that changes the index, of any key: `insert`, `update` and `remove` move other
 * records to reclaim memory. `relocate`, `buildOrder` and everything that only reads leave all
 * addresses valid. Addresses and hashes are 32-bit integers, signed as handed out by most calls;
 * every call accepts them signed and unsigned.
 *
 * One thread changes the index, and the work of each call but `reserve` is bounded: growth splits one
 * shard, and reclaiming memory moves a few records. Expired records are records like others until removed.
 */

import { assert } from "../assert.ts";
import { KEY_BYTES_LIMIT, SEGMENT_BYTES_LIMIT } from "../limits.ts";
import { ExpiryQueue } from "./expiry_queue.ts";
import { frameHint, type FrameMemory } from "./frame_hint.ts";
import { DEPTH_MAX, HashDirectory } from "./hash_directory.ts";
import {
  INDEX_LAYOUT,
  type IndexImageReader,
  type IndexImageWriter,
  readWords,
} from "./index_image.ts";
import { hashKey } from "./key_hash.ts";
import type { KeyRange } from "./key_range.ts";
import { OrderBuild } from "./order_build.ts";
import { OrderedKeys } from "./ordered_keys.ts";
import { PAGE_BYTES, PAGE_WORDS, PagePool, SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import { RecordArena } from "./record_arena.ts";
import { RecordReader } from "./record_reader.ts";
import {
  assertMeta,
  copyKey,
  copyWords,
  EXPIRY_POSITION,
  FILE_ID,
  FRAME_LENGTH,
  hasExpiryAt,
  HASH,
  keyLengthAt,
  keyStartAt,
  OFFSET,
  OFFSET_MASK,
  recordWords,
  recordWordsAt,
  writeHeader,
  writeKey,
} from "./record_layout.ts";
import type { SharedIndex } from "./shared_index.ts";
import type { SlabOptions } from "./slab_growth.ts";

/** The index of all keys. */
export class KeyIndex extends RecordReader {
  readonly #hashSeed: number;
  readonly #pool: PagePool;
  readonly #arena: RecordArena;
  readonly #directory: HashDirectory;
  readonly #expiry: ExpiryQueue;
  // The order is built at the first scan; until then it costs nothing.
  #order: OrderedKeys | null = null;
  #orderBuild: OrderBuild | null = null;
  #size = 0;
  #keyBytes = 0;

  /** Creates an empty index; the seed is to be random where keys may come from an adversary. */
  constructor(options: { hashSeed: number } & SlabOptions) {
    const pool = new PagePool(options);
    super(pool.slabs);
    this.#hashSeed = options.hashSeed | 0;
    this.#pool = pool;
    this.#arena = new RecordArena(this.#pool);
    this.#directory = new HashDirectory(this.#pool);
    this.#expiry = new ExpiryQueue(this.slabs);
  }

  /** Keys present. */
  get size(): number {
    return this.#size;
  }

  /** How many of the keys have an expiry. */
  get expiringKeys(): number {
    return this.#expiry.size;
  }

  /** Hashes a key. All other calls that take a hash expect this one. */
  hash(bytes: Uint8Array, start: number, length: number): number {
    return hashKey(bytes, start, length, this.#hashSeed);
  }

  /**
   * Returns the address of a key's record, or 0. Where its frame is to be read next, `frames` are what
   * it lies in: fetching it begins meanwhile.
   */
  find(
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    frames?: FrameMemory,
  ): number {
    return this.#directory.find(hash | 0, bytes, start, length, frames);
  }

  /** Hastens the next calls about keys of these hashes; keep the number it returns. */
  touch(hashes: Int32Array, start: number, end: number, arePresent: boolean): number {
    return this.#directory.touch(hashes, start, end, arePresent);
  }

  /** Prepares for growing to so many keys, which then takes less time, and no more memory. */
  reserve(keys: number): void {
    this.#directory.reserve(keys);
  }

  /** Adds a key, which must be absent. `expiresAt` is 0 for none. Returns the record's address. */
  insert(
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    fileId: number,
    offset: number,
    frameLength: number,
    crc: number,
    lsn: number,
    expiresAt: number,
  ): number {
    assert(length > 0 && length <= KEY_BYTES_LIMIT, "a key has 1 to 65,536 bytes");
    assertMeta(offset, frameLength, lsn, expiresAt);
    const address = this.#arena.allocate(recordWords(length, expiresAt !== 0));
    const view = this.slabs[address >>> SLAB_SHIFT]!;
    const at = address & SLAB_MASK;
    writeHeader(view, at, hash, length, fileId, offset, frameLength, crc, lsn, expiresAt);
    writeKey(view, keyStartAt(view, at), bytes, start, length);
    this.#directory.insert(hash | 0, address, frameHint(fileId, offset, frameLength));
    if (expiresAt !== 0) this.#expiry.add(address, expiresAt);
    if (this.#isOrdered(hash)) this.#order!.insert(address);
    this.#size++;
    this.#keyBytes += length;
    return address;
  }

  /**
   * Points a record at a newer version of its value. Returns its address, which is a new one when
   * the record gains or loses an expiry.
   */
  update(
    address: number,
    fileId: number,
    offset: number,
    frameLength: number,
    crc: number,
    lsn: number,
    expiresAt: number,
  ): number {
    assertMeta(offset, frameLength, lsn, expiresAt);
    const view = this.slabs[address >>> SLAB_SHIFT]!;
    const at = address & SLAB_MASK;
    assert(view[at + FRAME_LENGTH]! >= 0, "a record to update is alive");
    const hash = view[at + HASH]!;
    const keyLength = keyLengthAt(view, at);
    const hadExpiry = hasExpiryAt(view, at);
    if (hadExpiry === (expiresAt !== 0)) {
      const shard = this.#directory.beginChange(hash);
      writeHeader(view, at, hash, keyLength, fileId, offset, frameLength, crc, lsn, expiresAt);
      this.#directory.endChange(shard);
      if (hadExpiry) this.#expiry.setTime(view[at + EXPIRY_POSITION]!, expiresAt);
      this.#directory.setHint(hash, address | 0, frameHint(fileId, offset, frameLength));
      return address | 0;
    }
    const addressNew = this.#arena.allocate(recordWords(keyLength, expiresAt !== 0));
    const viewNew = this.slabs[addressNew >>> SLAB_SHIFT]!;
    const atNew = addressNew & SLAB_MASK;
    writeHeader(viewNew, atNew, hash, keyLength, fileId, offset, frameLength, crc, lsn, expiresAt);
    copyKey(view, at, viewNew, atNew);
    if (hadExpiry) this.#expiry.removeAt(view[at + EXPIRY_POSITION]!);
    else this.#expiry.add(addressNew, expiresAt);
    this.#publish(hash, address | 0, addressNew);
    this.#directory.setHint(hash, addressNew, frameHint(fileId, offset, frameLength));
    return this.#free(address | 0, addressNew);
  }

  /** Notes that compaction has moved a record's frame, unchanged, to another place. */
  relocate(address: number, fileId: number, offset: number): void {
    assert(offset >= 0 && offset <= SEGMENT_BYTES_LIMIT, "an offset fits 31 bits");
    const view = this.slabs[address >>> SLAB_SHIFT]!;
    const at = address & SLAB_MASK;
    assert(view[at + FRAME_LENGTH]! >= 0, "a record to relocate is alive");
    const shard = this.#directory.beginChange(view[at + HASH]!);
    view[at + FILE_ID] = fileId;
    view[at + OFFSET] = (view[at + OFFSET]! & ~OFFSET_MASK) | offset;
    this.#directory.endChange(shard);
    const hint = frameHint(fileId, offset, view[at + FRAME_LENGTH]!);
    this.#directory.setHint(view[at + HASH]!, address | 0, hint);
  }

  /** Removes a record, and so its key. */
  remove(address: number): void {
    const view = this.slabs[address >>> SLAB_SHIFT]!;
    const at = address & SLAB_MASK;
    assert(view[at + FRAME_LENGTH]! >= 0, "a record to remove is alive");
    const hash = view[at + HASH]!;
    this.#directory.remove(hash, address | 0);
    if (this.#isOrdered(hash)) this.#order!.remove(address | 0);
    if (hasExpiryAt(view, at)) this.#expiry.removeAt(view[at + EXPIRY_POSITION]!);
    this.#size--;
    this.#keyBytes -= keyLengthAt(view, at);
    this.#free(address | 0, 0);
  }

  /**
   * Returns the record that expires first, if its time has come by `now`, or else 0. It is the same
   * record until the caller removes it or gives it another expiry.
   */
  expireNext(now: number): number {
    return this.#expiry.firstTime() <= now ? this.#expiry.firstAddress() : 0;
  }

  /** The earliest expiry of all records, or Infinity. */
  nextExpiry(): number {
    return this.#expiry.firstTime();
  }

  /**
   * Visits the records of one shard: of the one that begins at `cursor`, which is 0 or what the
   * previous call returned. Returns -1 after the last one. A record that is present throughout is
   * visited exactly once, whatever changes between the calls. `visit` may relocate records, but
   * change the index in no other way.
   */
  walk(cursor: number, visit: (address: number) => void): number {
    this.#directory.visitShard(cursor, visit);
    const next = this.#directory.sliceAfter(cursor);
    return next === 1 << DEPTH_MAX ? -1 : next;
  }

  /** Visits the records of the shard that a key of this hash would be in, as {@link walk} does. */
  visitNear(hash: number, visit: (address: number) => void): void {
    this.#directory.visitShard(hash >>> (32 - DEPTH_MAX), visit);
  }

  /** Whether all keys have been put in order, as {@link KeyIndex.collect} requires. */
  get orderReady(): boolean {
    return this.#orderBuild !== null && this.#orderBuild.isDone;
  }

  /** Puts about `maxRecords` further keys in order; once done, the order is kept up. */
  buildOrder(maxRecords: number): boolean {
    assert(maxRecords > 0, "every step of building the order takes some records");
    if (this.#orderBuild === null) {
      this.#order = new OrderedKeys(this.#pool);
      this.#orderBuild = new OrderBuild(this.slabs, this.#directory, this.#order);
    }
    return this.#orderBuild.advance(maxRecords);
  }

  /** Writes the records of a range to `out`, at most `limit` and in order. Returns how many. */
  collect(range: KeyRange, limit: number, out: Uint32Array): number {
    assert(this.orderReady, "the order has been built before it is read");
    return this.#order!.collect(
      range.lower,
      range.lowerInclusive,
      range.upper,
      range.upperInclusive === true,
      range.reverse,
      limit,
      out,
    );
  }

  /**
   * Writes the index as it is, without the order of the keys, and yields after each page of memory.
   * It must not change before the last one.
   */
  *save(image: IndexImageWriter): Generator<void, void> {
    const pages = Uint32Array.from([...this.#directory.pages(), ...this.#arena.pages()]).sort();
    const keyBytesHigh = Math.floor(this.#keyBytes / 2 ** 32);
    image.words(Int32Array.of(INDEX_LAYOUT, this.#hashSeed));
    image.words(Int32Array.of(this.#size, this.#keyBytes | 0, keyBytesHigh));
    this.#pool.save(image, pages);
    this.#directory.save(image);
    this.#arena.save(image);
    this.#expiry.save(image);
    for (const page of pages) {
      image.page(this.#pageAt(page));
      yield;
    }
  }

  /**
   * Reads an index that was saved, and yields after each page of memory. The image's reader throws
   * if it is not one, and where it says so.
   */
  static *load(image: IndexImageReader, slabs: SlabOptions = {}): Generator<void, KeyIndex> {
    const [layout, hashSeed] = readWords(image, 2);
    image.expect(layout === INDEX_LAYOUT, "it is of another version of Cairn");
    const index = new KeyIndex({ hashSeed: hashSeed!, ...slabs });
    const [size, keyBytesLow, keyBytesHigh] = readWords(image, 3);
    index.#size = size!;
    index.#keyBytes = (keyBytesLow! >>> 0) + keyBytesHigh! * 2 ** 32;
    const pages = index.#pool.load(image);
    index.#directory.load(image);
    index.#arena.load(image);
    index.#expiry.load(image);
    for (const page of pages) {
      image.page(index.#pageAt(page));
      yield;
    }
    return index;
  }

  /** Bytes of the pages that {@link KeyIndex.save} writes. */
  imageBytes(): number {
    return (this.#directory.pages().length + this.#arena.pages().length) * PAGE_BYTES;
  }

  /** The memory that an `IndexReader` on another thread needs, however the index grows. */
  share(): SharedIndex {
    return { hashSeed: this.#hashSeed, ...this.#directory.share(), ...this.#pool.share() };
  }

  #pageAt(page: number): Int32Array {
    const at = page & SLAB_MASK;
    return this.slabs[page >>> SLAB_SHIFT]!.subarray(at, at + PAGE_WORDS);
  }

  /** Bytes of memory that the index has taken, including what it keeps for reuse. */
  memoryBytes(): number {
    return this.#pool.pagesTaken * PAGE_BYTES + this.#bookkeepingBytes();
  }

  /** Bytes of memory in use; the rest of {@link KeyIndex.memoryBytes} is free for reuse. */
  usedBytes(): number {
    return this.#pool.pagesInUse * PAGE_BYTES + this.#bookkeepingBytes();
  }

  /** Bytes of all keys present. */
  keyBytes(): number {
    return this.#keyBytes;
  }

  #bookkeepingBytes(): number {
    return this.#directory.bookkeepingBytes() + this.#arena.bookkeepingBytes() +
      this.#expiry.bytes() + (this.#order === null ? 0 : this.#order.bookkeepingBytes());
  }

  #isOrdered(hash: number): boolean {
    return this.#orderBuild !== null && this.#orderBuild.covers(hash);
  }

  /** Lets everything that names a record name its copy. */
  #publish(hash: number, address: number, addressNew: number): void {
    this.#directory.replace(hash, address, addressNew);
    if (this.#isOrdered(hash)) this.#order!.replace(address, addressNew);
  }

  /** Frees a record and does the evacuation that is due. Returns where `held` is afterwards. */
  #free(address: number, held: number): number {
    const words = recordWordsAt(this.slabs[address >>> SLAB_SHIFT]!, address & SLAB_MASK);
    this.#arena.free(address);
    this.#arena.grantEvacuation(words);
    let result = held;
    for (;;) {
      const evacuee = this.#arena.nextToEvacuate();
      if (evacuee === 0) return result;
      const moved = this.#move(evacuee);
      if (evacuee === held) result = moved;
    }
  }

  /** Moves a record to other memory and returns its new address. */
  #move(address: number): number {
    const view = this.slabs[address >>> SLAB_SHIFT]!;
    const at = address & SLAB_MASK;
    const words = recordWordsAt(view, at);
    const addressNew = this.#arena.allocate(words);
    const viewNew = this.slabs[addressNew >>> SLAB_SHIFT]!;
    copyWords(view, at, viewNew, addressNew & SLAB_MASK, words);
    this.#publish(view[at + HASH]!, address, addressNew);
    if (hasExpiryAt(view, at)) {
      this.#expiry.replaceAddress(view[at + EXPIRY_POSITION]!, addressNew);
    }
    this.#arena.free(address);
    return addressNew;
  }
}
