/**
 * Finds RESP commands, which are arrays of bulk strings, in the bytes of a client. Pure, and
 * resumable at every byte: what has been looked at is not looked at again when more comes. What is
 * wrong is told in the words of Redis, which clients know.
 */

import {
  RESP_ARGUMENTS_MAX,
  RESP_HEADER_BYTES_MAX,
  RESP_UNAUTHENTICATED_ARGUMENTS_MAX,
  RESP_UNAUTHENTICATED_BYTES_MAX,
} from "../../../limits.ts";
import type { ByteWindow } from "../byte_window.ts";
import type { ProtocolError } from "../protocol_error.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const MINUS = 45;
const ZERO = 48;
const DOLLAR = 36;
/** What an argument takes in memory beside its bytes, counted as if the client had sent it. */
const ARGUMENT_OVERHEAD_BYTES = 64;
const DIGITS_MAX = 15;
const NOT_A_NUMBER = -2;

/** What came of looking: a whole command, one of nothing, not enough bytes, or nonsense. */
export type ParseResult = "command" | "empty" | "more" | ProtocolError;

/** Limits of a {@link RespParser}. */
export interface RespLimits {
  /** Longest bulk string. */
  bulkBytesMax: number;
  /** All of a command, with what its arguments take in memory. */
  commandBytesMax: number;
}

/** The parser of one connection. */
export class RespParser {
  /**
   * The command found: views of the window's bytes, which hold until {@link finish}. The array itself
   * is used again.
   */
  readonly args: Uint8Array[] = [];
  /** Whether what is sent before a token has to be short. */
  isRestricted = false;

  readonly #limits: RespLimits;
  /** Arguments still to come; -1 before their number is known. */
  #remaining = -1;
  /** Length of the bulk string that has begun; -1 before it is known. */
  #bulkLength = -1;
  /** How far the window was looked at, from its start. */
  #at = 0;
  /** How far it was searched for the end of the line that begins there. */
  #searched = 0;
  /** Where arguments begin and end, from the start of the window. */
  #places: number[] = [];
  /** Length of the command as far as it is known. */
  #known = 0;

  constructor(limits: RespLimits) {
    this.#limits = limits;
  }

  /** How long the command that has begun will be at least, in bytes. */
  get lengthExpected(): number {
    return this.#known;
  }

  /**
   * Looks at what came, from where it stopped. After "command" or "empty", {@link finish} it; or call
   * this again if more bytes came meanwhile, since the views are of where they were before.
   */
  parse(window: ByteWindow): ParseResult {
    if (this.#remaining < 0) {
      const count = this.#header(window, "too big mbulk count string");
      if (typeof count !== "number") return count;
      if (count === NOT_A_NUMBER || count > RESP_ARGUMENTS_MAX) {
        return wrong("invalid multibulk length");
      }
      if (this.isRestricted && count > RESP_UNAUTHENTICATED_ARGUMENTS_MAX) {
        return wrong("unauthenticated multibulk length");
      }
      if (count <= 0) return "empty";
      this.#remaining = count;
    }
    while (this.#remaining > 0) {
      if (this.#bulkLength < 0) {
        const problem = this.#bulkHeader(window);
        if (problem !== undefined) return problem;
      }
      const begin = this.#at;
      const end = begin + this.#bulkLength;
      if (window.length < end + 2) {
        this.#known = end + 2;
        return "more";
      }
      const { bytes, start } = window;
      if (bytes[start + end] !== CARRIAGE_RETURN || bytes[start + end + 1] !== LINE_FEED) {
        return wrong("expected CRLF behind a bulk string");
      }
      this.#places.push(begin, end);
      this.#at = end + 2;
      this.#searched = this.#at;
      this.#bulkLength = -1;
      this.#remaining--;
    }
    this.#makeViews(window);
    return "command";
  }

  /** Gives the bytes of the command back, and is ready for the next. */
  finish(window: ByteWindow): void {
    window.consume(this.#at);
    this.reset();
  }

  /** Begins anew. */
  reset(): void {
    this.args.length = 0;
    this.#places.length = 0;
    this.#remaining = -1;
    this.#bulkLength = -1;
    this.#at = 0;
    this.#searched = 0;
    this.#known = 0;
  }

  #bulkHeader(window: ByteWindow): "more" | ProtocolError | undefined {
    if (window.length <= this.#at) return "more";
    const first = window.bytes[window.start + this.#at]!;
    if (first !== DOLLAR) return wrong(`expected '$', got '${shown(first)}'`);
    const length = this.#header(window, "too big bulk count string");
    if (typeof length !== "number") return length;
    if (length < 0 || length > this.#limits.bulkBytesMax) return wrong("invalid bulk length");
    if (this.isRestricted && length > RESP_UNAUTHENTICATED_BYTES_MAX) {
      return wrong("unauthenticated bulk length");
    }
    const overhead = (this.#places.length / 2 + 1) * ARGUMENT_OVERHEAD_BYTES;
    if (this.#at + length + overhead > this.#limits.commandBytesMax) {
      return wrong("too big command");
    }
    this.#bulkLength = length;
    return undefined;
  }

  /** The number in the line that begins here with a type, or NOT_A_NUMBER; goes behind the line. */
  #header(window: ByteWindow, tooLong: string): number | "more" | ProtocolError {
    const { bytes, start, end } = window;
    const from = start + this.#at;
    // Most of these lines are shorter than a call would take to search them.
    const last = Math.min(end, from + RESP_HEADER_BYTES_MAX);
    let feed = start + this.#searched;
    while (feed < last && bytes[feed] !== LINE_FEED) feed++;
    if (feed === last) {
      this.#searched = feed - start;
      return last === end ? "more" : wrong(tooLong);
    }
    this.#at = feed + 1 - start;
    this.#searched = this.#at;
    return feed - 1 > from && bytes[feed - 1] === CARRIAGE_RETURN
      ? numberIn(bytes, from + 1, feed - 1)
      : NOT_A_NUMBER;
  }

  #makeViews({ bytes, start }: ByteWindow): void {
    const places = this.#places;
    const { args } = this;
    args.length = 0;
    for (let index = 0; index < places.length; index += 2) {
      args.push(bytes.subarray(start + places[index]!, start + places[index + 1]!));
    }
  }
}

/** A number as Redis reads them: no sign but a minus, no zeroes before it; -1 for any below zero. */
function numberIn(bytes: Uint8Array, begin: number, end: number): number {
  const isNegative = bytes[begin] === MINUS;
  const from = isNegative ? begin + 1 : begin;
  const length = end - from;
  if (length < 1 || length > DIGITS_MAX) return NOT_A_NUMBER;
  if (bytes[from] === ZERO && (length > 1 || isNegative)) return NOT_A_NUMBER;
  let value = 0;
  for (let at = from; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return NOT_A_NUMBER;
    value = value * 10 + digit;
  }
  return isNegative ? -1 : value;
}

function wrong(message: string): ProtocolError {
  return { message: `Protocol error: ${message}` };
}

/** A byte as it can stand in a one-line message. */
function shown(byte: number): string {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "?";
}
