/**
 * The shortest way into a store, for a server with many small commands in each turn of the event loop:
 * keys and values are parts of the buffer that was received, a value is copied once, to where it is
 * sent from, and writes have no promise of their own.
 */

import type { Clock } from "../clock.ts";
import type { KvError } from "../errors.ts";
import { FRAME_OVERHEAD_BYTES } from "../format/record.ts";
import type { Keydir } from "./keydir.ts";
import type { RecordSource } from "./record_source.ts";
import type { WriteListener } from "./write_group.ts";
import type { WritePath } from "./write_path.ts";

/**
 * The short way. What it cannot do it leaves alone, without an error: the methods of `KvStore` do the
 * same, and say what is wrong.
 *
 * @internal
 */
export interface DirectAccess {
  /**
   * Finds a key. Returns 0 if it does not exist, {@link NOT_DIRECT} if the store has to be asked, and
   * otherwise an address, which holds until the store is called again.
   */
  find(bytes: Uint8Array, start: number, end: number): number;
  /** Length of the value at an address, in bytes. */
  valueLength(address: number): number;
  /** Version of the key at an address. */
  version(address: number): number;
  /** When the key at an address expires, in milliseconds since the epoch; 0 if it does not. */
  expiresAt(address: number): number;
  /** Copies the value at an address to `target`, from `at` on. Throws as `KvStore.getSync` does. */
  copyValue(address: number, target: Uint8Array, at: number): void;
  /**
   * As `KvStore.set`, with a key and a value that lie in `bytes`. Returns the version, which counts as
   * done once {@link acknowledged} has reached it; or {@link NOT_DIRECT}, and nothing was done.
   */
  set(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number;
  /**
   * As {@link set}, with key and value apart; `listener` is told what becomes of it. Returns
   * {@link NOT_DIRECT} unless the durability is `"immediate"`.
   */
  setFor(
    listener: WriteListener,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
  ): number;
  /** The version up to which all writes count as done, by the store's durability. */
  readonly acknowledged: number;
  /** Why writes above that version never will; undefined while nothing has failed. */
  readonly failure: KvError | undefined;
  /** Calls `wake` once, when one of these two may have changed. It must only note that it was called. */
  wait(wake: () => void): void;
}

/** What {@link DirectAccess} returns where the store itself has to be asked. */
export const NOT_DIRECT: number = -1;

/** What direct access works with. */
export interface DirectContext {
  keydir: Keydir;
  source: RecordSource;
  /** Undefined in a store that was opened for reading only. */
  write: WritePath | undefined;
  clock: Clock;
  keyBytesMax: number;
  valueBytesMax: number;
  isClosed: () => boolean;
  /** Told of the address of each value that is read. */
  onRead: (address: number) => void;
}

/** Makes it. */
export function directAccess(context: DirectContext): DirectAccess {
  return new StoreAccess(context);
}

class StoreAccess implements DirectAccess {
  readonly #context: DirectContext;

  constructor(context: DirectContext) {
    this.#context = context;
  }

  get acknowledged(): number {
    return this.#context.write?.lsnAcknowledged ?? 0;
  }

  get failure(): KvError | undefined {
    return this.#context.write?.writer.failure;
  }

  find(bytes: Uint8Array, start: number, end: number): number {
    const { keydir, clock, keyBytesMax, isClosed } = this.#context;
    const length = end - start;
    if (length === 0 || length > keyBytesMax || isClosed()) return NOT_DIRECT;
    const address = keydir.findToRead(bytes, start, length);
    if (address !== 0) return keydir.isExpired(address, clock) ? 0 : address;
    return isAscii(bytes, start, end) ? 0 : NOT_DIRECT;
  }

  valueLength(address: number): number {
    return this.#context.source.valueLength(address);
  }

  version(address: number): number {
    return this.#context.keydir.index.lsn(address);
  }

  expiresAt(address: number): number {
    return this.#context.keydir.index.expiresAt(address);
  }

  copyValue(address: number, target: Uint8Array, at: number): void {
    this.#context.onRead(address);
    this.#context.source.copy(address, target, at);
  }

  set(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    const write = this.#writeOf(bytes, keyStart, keyEnd, valueEnd - valueStart);
    if (write === undefined) return NOT_DIRECT;
    const lsn = append(write, bytes, keyStart, keyEnd, bytes, valueStart, valueEnd);
    write.acknowledgement.byBell(lsn);
    return lsn;
  }

  setFor(
    listener: WriteListener,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
  ): number {
    const write = this.#writeOf(bytes, keyStart, keyEnd, value.length);
    const commit = write?.commit;
    if (write === undefined || commit === undefined) return NOT_DIRECT;
    const lsn = append(write, bytes, keyStart, keyEnd, value, 0, value.length);
    commit.tell(listener);
    return lsn;
  }

  /** What takes such a set, unless something speaks against it. */
  #writeOf(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueLength: number,
  ): WritePath | undefined {
    const { write, keyBytesMax, valueBytesMax, isClosed } = this.#context;
    const keyLength = keyEnd - keyStart;
    if (keyLength === 0 || keyLength > keyBytesMax || valueLength > valueBytesMax) return undefined;
    if (write === undefined || write.writer.failure !== undefined || isClosed()) return undefined;
    return isAscii(bytes, keyStart, keyEnd) ? write : undefined;
  }

  wait(wake: () => void): void {
    this.#context.write?.bell.wait(wake);
  }
}

/** Appends a set to the log; returns its version. */
function append(
  write: WritePath,
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  valueBytes: Uint8Array,
  valueStart: number,
  valueEnd: number,
): number {
  const { writer, encoder } = write;
  const room = FRAME_OVERHEAD_BYTES + keyEnd - keyStart + valueEnd - valueStart;
  encoder.beginBytesAt(writer.reserve(room), bytes, keyStart, keyEnd);
  const lsn = writer.takeLsn();
  encoder.finishSetBytes(valueBytes, valueStart, valueEnd, lsn);
  write.appendOne(false, lsn, 0, false);
  return lsn;
}

/** Whether these bytes are plain text: UTF-8 beyond that is rare in keys, and takes longer to check. */
function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let all = 0;
  for (let at = start; at < end; at++) all |= bytes[at]!;
  return all < 0x80;
}
