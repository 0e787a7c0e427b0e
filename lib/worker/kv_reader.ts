/** Reads a store that another thread of this process has open: the face of the worker layer. */

import { type Clock, systemClock } from "../clock.ts";
import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import { decodeKey, encodeKey } from "../format/key.ts";
import { joinPath, segmentName } from "../format/filename.ts";
import { defaultFileSystem } from "../fs/default.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { IndexReader, type IndexViews, viewsOf } from "../index/index_reader.ts";
import { KEY_BYTES_LIMIT } from "../limits.ts";
import { SharedTailReader } from "../log/shared_tail.ts";
import { CLOSED, type SharedStore } from "../store/shared_store.ts";
import { showValue } from "../store/options.ts";
import { checkScanOptions } from "../store/scan.ts";
import type { Entry, KeyInfo, KeyInput, ScanOptions } from "../store/types.ts";
import { checkHandle } from "./check_handle.ts";
import { OpenSegments } from "./open_segments.ts";
import {
  BLOCKING_READ_BYTES_MAX,
  type Obstacle,
  type RecordPlace,
  RecordRead,
  valueLengthOf,
} from "./record_read.ts";
import { scanReader } from "./reader_scan.ts";

/** A place that could not be read so often, and was still the same, is not about to change. */
const SAME_PLACE_LOOKS_MAX = 3;
/** The one obstacle that goes away by itself: the other thread is writing the record out. */
const HIDDEN_OBSTACLE: Obstacle = "it is not in its file yet";
const HIDDEN_SLEEP_MS = 1;
/** Ten seconds; a disk may be slow. */
const HIDDEN_LOOKS_MAX = 10_000;

/** Options of {@link KvReader.attach}. */
export interface ReaderOptions {
  /**
   * Read through memory maps, where the runtime can (default true). Not if the store was opened
   * without them; see the option of the same name there.
   */
  memoryMap?: boolean;
  /** Where the files are; that of the machine by default. Nothing is written to it. */
  fileSystem?: FileSystem;
  /** What time it is, for keys that expire; the machine's clock by default. */
  clock?: Clock;
}

/**
 * Reads a store that another thread of the same process has open and shares, as it is at the moment
 * of each call: a read that begins after a write was acknowledged sees that write, wherever both
 * happen. Reads take no lock, send no message and hold up nobody. Several keys are read at several
 * moments: the writes of a batch come into sight one by one, before the batch is acknowledged.
 *
 * A reader opens the store's files when it needs them, and lets go of those that compaction has
 * removed within a second. It has to be detached, or its thread to end; the store does not know of
 * it.
 *
 * @example
 * ```ts
 * import { KvReader, KvStore } from "@cairn/kv";
 *
 * await using store = await KvStore.open("./data");
 * await store.set("greeting", "hello");
 * const handle = store.share(); // post it to workers: worker.postMessage(handle)
 *
 * using reader = KvReader.attach(handle); // there, or here
 * await store.set("greeting", "hello again");
 * console.log(new TextDecoder().decode(reader.getSync("greeting"))); // hello again
 * ```
 */
export class KvReader implements Disposable {
  readonly #handle: SharedStore;
  readonly #clock: Clock;
  readonly #control: Int32Array;
  readonly #views: IndexViews;
  readonly #index: IndexReader;
  readonly #files: OpenSegments;
  readonly #records: RecordRead;
  readonly #key: Uint8Array;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));
  #detached = false;

  private constructor(handle: SharedStore, options: ReaderOptions) {
    const { fileSystem = defaultFileSystem, clock = systemClock, memoryMap = true } = options;
    this.#handle = handle;
    this.#clock = clock;
    this.#control = new Int32Array(handle.control);
    this.#views = viewsOf(handle.index);
    this.#index = new IndexReader(this.#views);
    const { directory, durable } = handle;
    const files = { directory, durable, control: this.#control };
    this.#files = new OpenSegments(fileSystem, files, memoryMap && handle.memoryMap, clock);
    const tail = handle.tail === undefined ? undefined : new SharedTailReader(handle.tail);
    this.#records = new RecordRead(this.#files, tail);
    // Keys that a scan finds may be longer than those that may be written now.
    this.#key = new Uint8Array(Math.max(handle.keyBytesMax * 3, KEY_BYTES_LIMIT));
  }

  /**
   * Begins to read the store whose `share()` has returned this handle, or what was posted of it.
   *
   * Throws `InvalidArgument` for what is no such handle, or no options, `Unsupported` for one of another version of
   * Cairn, and `Closed` if the store has been closed.
   */
  static attach(handle: SharedStore, options: ReaderOptions = {}): KvReader {
    checkHandle(handle);
    checkOptions(options);
    const reader = new KvReader(handle, options);
    reader.#assertAttached();
    return reader;
  }

  /**
   * The value stored under a key, as bytes of the caller's own; undefined if there is none. A value
   * over 64 KiB is read without blocking this thread.
   *
   * Rejects with `InvalidKey`, `Closed`, `CorruptLog` if the stored bytes are damaged, `Io` if they
   * cannot be read, and `InvalidArgument` if the handle was forged.
   */
  get(key: KeyInput): Promise<Uint8Array | undefined> {
    try {
      const length = this.#encode(key);
      if (!this.#locate(length, true)) return Promise.resolve(undefined);
      if (this.#index.frameLength > BLOCKING_READ_BYTES_MAX) {
        return this.#readLong(length).then((found) => found?.value);
      }
      return Promise.resolve(this.#read(length));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As {@link get}, blocking. */
  getSync(key: KeyInput): Uint8Array | undefined {
    const length = this.#encode(key);
    return this.#locate(length, true) ? this.#read(length) : undefined;
  }

  /** A key's value with its version and expiry; undefined if the key does not exist. */
  async getEntry(key: KeyInput): Promise<Entry | undefined> {
    const length = this.#encode(key);
    if (!this.#locate(length, true)) return undefined;
    if (this.#index.frameLength <= BLOCKING_READ_BYTES_MAX) return this.#readEntry(key, length);
    const text = textOf(key);
    const found = await this.#readLong(length);
    return found === undefined ? undefined : entryOf(text, found.place, found.value);
  }

  /** As {@link getEntry}, blocking. */
  getEntrySync(key: KeyInput): Entry | undefined {
    const length = this.#encode(key);
    return this.#locate(length, true) ? this.#readEntry(key, length) : undefined;
  }

  /** Whether a key exists. Looks into memory only. */
  has(key: KeyInput): boolean {
    return this.#locate(this.#encode(key), false);
  }

  /**
   * As {@link getSync}, but null for a value of more than `valueBytesMax` bytes, which is not read.
   *
   * @internal
   */
  getShort(key: KeyInput, valueBytesMax: number): Uint8Array | null | undefined {
    const length = this.#encode(key);
    if (!this.#locate(length, true)) return undefined;
    return valueLengthOf(this.#index, length) > valueBytesMax ? null : this.#read(length);
  }

  /** A key's version, expiry and size of value; undefined if it does not exist. Reads no file. */
  stat(key: KeyInput): KeyInfo | undefined {
    const length = this.#encode(key);
    if (!this.#locate(length, false)) return undefined;
    const { lsn: version, expiresAt } = this.#index;
    const size = valueLengthOf(this.#index, length);
    return expiresAt === 0 ? { version, size } : { version, size, expiresAt };
  }

  /**
   * Goes through entries in byte order of their keys. Keys that exist throughout are seen exactly
   * once; those that come or go meanwhile may be seen or not. As the index is not in order for other
   * threads, all its keys are looked at first, and those in the range kept: that takes memory for
   * them, and a scan with a low limit takes as long as a whole one. Throws as `KvStore.scan` does.
   */
  scan(options: ScanOptions = {}): AsyncIterableIterator<Entry> {
    this.#assertAttached();
    const { range, limit } = checkScanOptions(options);
    const isWithValues = options.values ?? true;
    const context = {
      views: this.#views,
      clock: this.#clock,
      assertAttached: () => this.#assertAttached(),
      entryOf: (key: Uint8Array) =>
        isWithValues ? this.#entryAt(key) : this.#entryWithoutValue(key),
    };
    return scanReader(context, range, limit);
  }

  /** Ends reading and closes the files. Every later call throws `Closed`, but for this one. */
  detach(): void {
    this.#detached = true;
    this.#files.closeAll();
  }

  /** As {@link detach}; what `using` calls. */
  [Symbol.dispose](): void {
    this.detach();
  }
  /** The key as bytes at the beginning of the scratch; returns their number. */
  #encode(key: KeyInput): number {
    return encodeKey(key, this.#key, 0, this.#handle.keyBytesMax);
  }

  /**
   * Looks the encoded key up, anew; `reads` if its value is to be read next. What is found stands in
   * the index reader's fields.
   */
  #locate(keyLength: number, reads: boolean): boolean {
    this.#assertAttached();
    this.#files.refresh();
    const frames = reads ? this.#files.frames : undefined;
    if (!this.#index.find(this.#key, keyLength, frames)) return false;
    const { expiresAt } = this.#index;
    return expiresAt === 0 || expiresAt > this.#clock.now();
  }

  /** The value of the key that was located, and is located again if it has moved meanwhile. */
  #read(keyLength: number): Uint8Array | undefined {
    let hindrance: Hindrance | undefined;
    do {
      const value = this.#records.read(this.#index, this.#key, keyLength);
      if (typeof value !== "string") return value;
      hindrance = this.#assess(value, this.#index, hindrance);
    } while (this.#locate(keyLength, true));
    return undefined;
  }

  #readEntry(key: KeyInput, keyLength: number): Entry | undefined {
    const value = this.#read(keyLength);
    return value === undefined ? undefined : entryOf(textOf(key), this.#index, value);
  }

  /** The entry of a key that stands in the index, and so need not be checked. */
  #entryAt(key: Uint8Array): Entry | undefined {
    this.#key.set(key);
    return this.#locate(key.length, true) ? this.#readEntry(key, key.length) : undefined;
  }

  #entryWithoutValue(key: Uint8Array): Entry | undefined {
    this.#key.set(key);
    if (!this.#locate(key.length, false)) return undefined;
    const entry = entryOf(textOf(key), this.#index, NO_VALUE);
    entry.size = valueLengthOf(this.#index, key.length);
    return entry;
  }

  /** As {@link KvReader.#read}, but does not block while the disk is asked. */
  async #readLong(
    keyLength: number,
  ): Promise<{ place: RecordPlace; value: Uint8Array } | undefined> {
    // Other calls use the scratch and the fields of the index reader meanwhile.
    const key = this.#key.slice(0, keyLength);
    let hindrance: Hindrance | undefined;
    do {
      const place = placeOf(this.#index);
      const value = await this.#records.readAsync(place, key, keyLength);
      if (typeof value !== "string") return { place, value };
      hindrance = this.#assess(value, place, hindrance);
      this.#key.set(key);
    } while (this.#locate(keyLength, true));
    return undefined;
  }

  /**
   * Whether to look again after an obstacle. A record may have moved, and its file be gone, since it
   * was located; then it is located elsewhere now. Throws if that is not it.
   */
  #assess(obstacle: Obstacle, place: RecordPlace, before: Hindrance | undefined): Hindrance {
    const isSame = before !== undefined && before.fileId === place.fileId &&
      before.offset === place.offset && before.lsn === place.lsn;
    const count = isSame ? before.count + 1 : 1;
    const { fileId, offset, lsn } = place;
    const countMax = obstacle === HIDDEN_OBSTACLE ? HIDDEN_LOOKS_MAX : SAME_PLACE_LOOKS_MAX;
    if (count >= countMax) throw this.#unreadable(obstacle, place);
    if (obstacle === HIDDEN_OBSTACLE) Atomics.wait(this.#sleeper, 0, 0, HIDDEN_SLEEP_MS);
    return { fileId, offset, lsn, count };
  }

  #unreadable(obstacle: Obstacle, { fileId, offset }: RecordPlace): KvError {
    const path = joinPath(this.#handle.directory, segmentName(fileId));
    const details = { path, fileId, offset };
    const record = `record at offset ${offset} of ${path}`;
    if (obstacle === "its file is not there" || obstacle === HIDDEN_OBSTACLE) {
      return new KvError("Io", `Cannot read the ${record}: ${obstacle}`, details);
    }
    return new KvError(
      "CorruptLog",
      `The ${record} is damaged: ${obstacle}; ${DAMAGE_ADVICE}`,
      details,
    );
  }

  #assertAttached(): void {
    if (this.#detached) {
      throw new KvError("Closed", "The reader is detached: attach another one");
    }
    if (Atomics.load(this.#control, CLOSED) !== 0) {
      const { path } = this.#handle;
      this.#files.closeAll();
      throw new KvError("Closed", `The store ${path} is closed: open it again, and share it`, {
        path,
      });
    }
  }
}

function checkOptions({ memoryMap }: ReaderOptions): void {
  if (memoryMap === undefined || typeof memoryMap === "boolean") return;
  throw new KvError(
    "InvalidArgument",
    `Option memoryMap is ${showValue(memoryMap)}: pass true or false`,
  );
}

const NO_VALUE = new Uint8Array(0);

/** A place that could not be read, and how often that was so. */
interface Hindrance {
  fileId: number;
  offset: number;
  lsn: number;
  count: number;
}

function placeOf(index: IndexReader): RecordPlace {
  const { fileId, offset, frameLength, crc, lsn, expiresAt } = index;
  return { fileId, offset, frameLength, crc, lsn, expiresAt };
}

function textOf(key: KeyInput): string {
  if (typeof key === "string") return key;
  try {
    return decodeKey(key);
  } catch (cause) {
    // Only text is ever written; but a log may have been, by something else.
    const message = `The store holds a key that is no text; ${DAMAGE_ADVICE}`;
    throw new KvError("CorruptLog", message, { cause });
  }
}

function entryOf(key: string, place: RecordPlace, value: Uint8Array): Entry {
  const { lsn: version, expiresAt } = place;
  return expiresAt === 0 ? { key, value, version } : { key, value, version, expiresAt };
}
