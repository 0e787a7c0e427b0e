/** Writes replies as RESP 2 or 3. */

import type { ReplyBuffer } from "../reply_buffer.ts";
import type { ReplyEncoder } from "./reply.ts";

const DOLLAR = 36;
const COLON = 58;
const STAR = 42;
const PERCENT = 37;
const EQUALS = 61;
const TILDE = 126;
/** A type, the digits of a length, and a line break. */
const HEADER_BYTES_MAX = 20;
/** Says what kind of text a verbatim string is. */
const PLAIN_TEXT = "txt:";
const LINE_BREAKS = /[\r\n]/g;
const NOT_ASCII = /[^\x20-\x7e]/;

const utf8 = new TextEncoder();

/** What `simple("OK")` writes, in both versions. */
export const OK_BYTES: Uint8Array = utf8.encode("+OK\r\n");

/** The encoder of a server; one reply at a time. */
export class RespEncoder implements ReplyEncoder {
  /** The version that the client of the reply speaks. */
  protocol: 2 | 3 = 2;
  /** Whether the reply is an error, as soon as it has begun. */
  isError = false;

  readonly #out: ReplyBuffer;
  #isBegun = false;

  constructor(out: ReplyBuffer) {
    this.#out = out;
  }

  /** A reply to a client of this version follows. */
  begin(protocol: 2 | 3): void {
    this.protocol = protocol;
    this.isError = false;
    this.#isBegun = false;
  }

  simple(text: string): void {
    this.#isBegun = true;
    this.#line("+", text);
  }

  error(text: string): void {
    // An error within an array, as EXEC may answer, is not one of the command.
    if (!this.#isBegun) this.isError = true;
    this.#isBegun = true;
    this.#line("-", text);
  }

  integer(value: number | bigint): void {
    this.#header(COLON, value);
  }

  bulk(value: Uint8Array | string): void {
    const bytes = typeof value === "string" ? utf8.encode(value) : value;
    this.#header(DOLLAR, bytes.length);
    this.#out.bytes(bytes);
    this.#out.ascii("\r\n");
  }

  /**
   * Begins a string whose bytes are to be copied into {@link memory}, from the place on that is
   * returned; then {@link endBulk} or {@link takeBulkBack} follows. Only for short ones.
   */
  beginBulk(length: number): number {
    this.#out.mark(length + HEADER_BYTES_MAX + 2);
    this.#header(DOLLAR, length);
    return this.#out.take(length);
  }

  /** Where replies are put together. */
  get memory(): Uint8Array {
    return this.#out.memory;
  }

  /** Ends what {@link beginBulk} began. */
  endBulk(): void {
    this.#out.ascii("\r\n");
  }

  /** Leaves nothing of what {@link beginBulk} began. */
  takeBulkBack(): void {
    this.#out.backToMark();
  }

  nullBulk(): void {
    this.#isBegun = true;
    this.#out.ascii(this.protocol === 3 ? "_\r\n" : "$-1\r\n");
  }

  nullArray(): void {
    this.#isBegun = true;
    this.#out.ascii(this.protocol === 3 ? "_\r\n" : "*-1\r\n");
  }

  array(length: number): void {
    this.#header(STAR, length);
  }

  set(length: number): void {
    this.#header(this.protocol === 3 ? TILDE : STAR, length);
  }

  map(length: number): void {
    if (this.protocol === 3) this.#header(PERCENT, length);
    else this.#header(STAR, length * 2);
  }

  verbatim(text: string): void {
    if (this.protocol === 2) return this.bulk(text);
    const bytes = utf8.encode(text);
    this.#header(EQUALS, bytes.length + PLAIN_TEXT.length);
    this.#out.ascii(PLAIN_TEXT);
    this.#out.bytes(bytes);
    this.#out.ascii("\r\n");
  }

  encoded(replies: Uint8Array): void {
    this.#isBegun = true;
    this.#out.bytes(replies);
  }

  #header(type: number, value: number | bigint): void {
    this.#isBegun = true;
    this.#out.byte(type);
    this.#out.integer(value);
    this.#out.ascii("\r\n");
  }

  #line(type: string, text: string): void {
    this.#out.ascii(type);
    if (NOT_ASCII.test(text)) this.#out.utf8(text.replace(LINE_BREAKS, " "));
    else this.#out.utf8(text);
    this.#out.ascii("\r\n");
  }
}
