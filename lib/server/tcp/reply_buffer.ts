/**
 * Where the replies of one turn of one connection are put together, to be sent by one write. A server
 * has one for all its connections: nothing of a turn is left in it when the turn is over.
 */

import type { Outbox } from "./outbox.ts";

const CAPACITY = 64 << 10;
/** Values from this length on are sent from where they are. */
const LONG_BYTES = 16 << 10;
const DIGITS_MAX = 24;
const ZERO = 48;
const MINUS = 45;

const encoder = new TextEncoder();

/** Puts bytes behind each other and passes them on. */
export class ReplyBuffer {
  /** The bytes. */
  readonly memory: Uint8Array = new Uint8Array(CAPACITY);
  #length = 0;
  #mark = 0;
  #outbox: Outbox | undefined;

  /** What follows is for this connection. */
  begin(outbox: Outbox): void {
    this.#outbox = outbox;
  }

  /** Passes on what there is. */
  end(): void {
    this.#flush();
    this.#outbox = undefined;
  }

  /** One byte. */
  byte(value: number): void {
    if (this.#length === CAPACITY) this.#flush();
    this.memory[this.#length++] = value;
  }

  /** Short text that is ASCII. */
  ascii(text: string): void {
    const { length } = text;
    this.#reserve(length);
    const { memory: bytes } = this;
    let at = this.#length;
    for (let index = 0; index < length; index++) bytes[at++] = text.charCodeAt(index);
    this.#length = at;
  }

  /** An integer in decimal digits. */
  integer(value: number | bigint): void {
    if (typeof value === "bigint" || !Number.isSafeInteger(value)) return this.ascii(String(value));
    this.#reserve(DIGITS_MAX);
    const { memory: bytes } = this;
    let rest = value;
    if (rest < 0) {
      bytes[this.#length++] = MINUS;
      rest = -rest;
    }
    let digits = 1;
    for (let power = 10; rest >= power; power *= 10) digits++;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const next = Math.floor(rest / 10);
      bytes[at] = ZERO + (rest - next * 10);
      rest = next;
    }
    this.#length += digits;
  }

  /** Short ASCII, so many times. */
  repeat(bytes: Uint8Array, count: number): void {
    const { length } = bytes;
    for (let each = 0; each < count; each++) {
      this.#reserve(length);
      for (let index = 0; index < length; index++) {
        this.memory[this.#length + index] = bytes[index]!;
      }
      this.#length += length;
    }
  }

  /** Remembers where it is: the next `length` bytes, far fewer than the capacity, can be undone. */
  mark(length: number): void {
    this.#reserve(length);
    this.#mark = this.#length;
  }

  /** Undoes what came behind the {@link mark}. */
  backToMark(): void {
    this.#length = this.#mark;
  }

  /** Takes so many bytes, far fewer than the capacity, and returns where in {@link memory} they are. */
  take(length: number): number {
    this.#reserve(length);
    const at = this.#length;
    this.#length = at + length;
    return at;
  }

  /** Bytes; long ones are not copied, and must not be changed any more. */
  bytes(value: Uint8Array): void {
    const { length } = value;
    if (length >= LONG_BYTES) {
      this.#flush();
      this.#outbox!.send(value, 0, length, true);
      return;
    }
    this.#reserve(length);
    this.memory.set(value, this.#length);
    this.#length += length;
  }

  /** Text as UTF-8. */
  utf8(text: string): void {
    if (text.length * 3 >= LONG_BYTES) return this.bytes(encoder.encode(text));
    this.#reserve(text.length * 3);
    this.#length += encoder.encodeInto(text, this.memory.subarray(this.#length)).written;
  }

  /** Room for so many bytes, far fewer than the capacity. */
  #reserve(length: number): void {
    if (this.#length + length > CAPACITY) this.#flush();
  }

  #flush(): void {
    if (this.#length === 0) return;
    const length = this.#length;
    this.#length = 0;
    this.#outbox!.send(this.memory, 0, length, false);
  }
}
