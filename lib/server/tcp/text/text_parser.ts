/**
 * Finds commands of the text protocol in the bytes of a client. Pure, and resumable at every byte:
 * what has been looked at is not looked at again when more comes.
 */

import { TEXT_LINE_BYTES_MAX, TEXT_UNAUTHENTICATED_BYTES_MAX } from "../../../limits.ts";
import type { ByteWindow } from "../byte_window.ts";
import type { ProtocolError } from "../protocol_error.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const TAB = 9;
const SPACE = 32;
const ZERO = 48;
const LENGTH_DIGITS_MAX = 15;
const EMPTY = new Uint8Array(0);

/** What a command is about. */
export type TextCommandName = "GET" | "SET" | "DEL" | "AUTH" | "unknown";

/** What came of looking: a whole command, an empty line, not enough bytes, or nonsense. */
export type TextParseResult = "command" | "empty" | "more" | ProtocolError;

const NAMES: readonly Exclude<TextCommandName, "unknown">[] = ["GET", "SET", "DEL", "AUTH"];
const USAGE: Record<TextCommandName, string> = {
  GET: "GET <key>",
  SET: "SET <key> <length>, then so many bytes",
  DEL: "DEL <key>",
  AUTH: "AUTH <token>",
  unknown: "The commands are SET <key> <length>, GET <key>, DEL <key> and AUTH <token>; those of " +
    "Redis, such as PING, come by redis-cli or another client that speaks RESP",
};

/** The parser of one connection. */
export class TextParser {
  /** Which command was found. */
  name: TextCommandName = "unknown";
  /** The bytes in which it lies; they and the places in them hold until {@link finish}. */
  bytes: Uint8Array = EMPTY;
  /** Where its key or token begins. */
  argumentStart = 0;
  argumentEnd = 0;
  /** Where its value begins. */
  valueStart = 0;
  valueEnd = 0;
  /** What is wrong with the command, though its end is known. */
  problem = "";
  /** Whether what is sent before a token has to be short. */
  isRestricted = false;

  readonly #valueBytesMax: number;
  /** How far the window was searched for the end of the line. */
  #searched = 0;
  /** Length of the line and its end; 0 before it is known. */
  #lineLength = 0;
  #valueLength = 0;
  /** Where key or token are in the line. */
  #argumentFrom = 0;
  #argumentTo = 0;

  /** Values may have `valueBytesMax` bytes. */
  constructor(valueBytesMax: number) {
    this.#valueBytesMax = valueBytesMax;
  }

  /** Its key or token: a view of the window's bytes, which holds until {@link finish}. */
  get argument(): Uint8Array {
    return this.bytes.subarray(this.argumentStart, this.argumentEnd);
  }

  /** Its value, as a view too; empty if it has none. */
  get value(): Uint8Array {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** How long the command that has begun will be at least, in bytes. */
  get lengthExpected(): number {
    return this.#lineLength + this.#valueLength;
  }

  /**
   * Looks at what came, from where it stopped. After "command" or "empty", {@link finish} it; or call
   * this again if more bytes came meanwhile, since the views are of where they were before.
   */
  parse(window: ByteWindow): TextParseResult {
    if (this.#lineLength === 0) {
      const begun = this.#parseLine(window);
      if (begun !== "command") return begun;
    }
    const length = this.#lineLength + this.#valueLength;
    if (window.length < length) return "more";
    const { bytes, start } = window;
    this.bytes = bytes;
    this.argumentStart = start + this.#argumentFrom;
    this.argumentEnd = start + this.#argumentTo;
    this.valueStart = start + this.#lineLength;
    this.valueEnd = start + length;
    return "command";
  }

  /** Gives the bytes of the command back, and is ready for the next. */
  finish(window: ByteWindow): void {
    window.consume(this.#lineLength + this.#valueLength);
    this.reset();
  }

  /** Begins anew. */
  reset(): void {
    this.bytes = EMPTY;
    this.problem = "";
    this.#searched = 0;
    this.#lineLength = 0;
    this.#valueLength = 0;
  }

  #parseLine(window: ByteWindow): TextParseResult {
    const { bytes, start, end } = window;
    const first = bytes[start]!;
    // What begins like this is no text: TLS on the wrong port, as a rule.
    if (first < SPACE && first !== LINE_FEED && first !== CARRIAGE_RETURN) {
      return { message: "A command begins with a letter, or with * for RESP" };
    }
    const last = Math.min(end, start + TEXT_LINE_BYTES_MAX);
    let feed = start + this.#searched;
    while (feed < last && bytes[feed] !== LINE_FEED) feed++;
    if (feed === last) {
      this.#searched = feed - start;
      return last === end ? "more" : { message: `A line may have ${TEXT_LINE_BYTES_MAX} bytes` };
    }
    this.#lineLength = feed + 1 - start;
    const hasReturn = feed > start && bytes[feed - 1] === CARRIAGE_RETURN;
    const lineEnd = hasReturn ? feed - 1 : feed;
    return lineEnd === start ? "empty" : this.#parseWords(bytes, start, lineEnd);
  }

  #parseWords(bytes: Uint8Array, start: number, end: number): "command" | ProtocolError {
    const space = indexOfSpace(bytes, start, end);
    this.name = nameOf(bytes, start, space);
    const argumentStart = space + 1;
    const argumentEnd = Math.max(argumentStart, indexOfSpace(bytes, argumentStart, end));
    this.#argumentFrom = argumentStart - start;
    this.#argumentTo = argumentEnd - start;
    if (this.name === "unknown") return this.#refuse(bytes, start, end);
    if (argumentEnd === argumentStart || argumentEnd > end || hasTab(bytes, argumentStart, end)) {
      return this.#refuse(bytes, start, end);
    }
    if (this.name !== "SET") {
      return argumentEnd === end ? "command" : this.#refuse(bytes, start, end);
    }
    const length = lengthIn(bytes, argumentEnd + 1, end);
    if (length < 0) return this.#refuse(bytes, start, end);
    const valueBytesMax = this.isRestricted
      ? Math.min(this.#valueBytesMax, TEXT_UNAUTHENTICATED_BYTES_MAX)
      : this.#valueBytesMax;
    if (length > valueBytesMax) {
      const code = this.isRestricted ? "Unauthorized" : "ValueTooLarge";
      return { code, message: `A value may have ${valueBytesMax} bytes, not ${length}` };
    }
    this.#valueLength = length;
    return "command";
  }

  /** A line that is wrong; of a set that means that nobody knows where the next command begins. */
  #refuse(bytes: Uint8Array, start: number, end: number): "command" | ProtocolError {
    const line = new TextDecoder("latin1").decode(
      bytes.subarray(start, Math.min(end, start + TEXT_LINE_BYTES_MAX)),
    );
    if (/ HTTP\/\d(?:\.\d)?$|^POST |^Host:/i.test(line)) return { message: "", isSilent: true };
    const isSet = /^\s*set\b/i.test(line);
    const message = isSet ? USAGE.SET : USAGE[this.name];
    if (isSet) return { message };
    this.name = "unknown";
    this.problem = message;
    return "command";
  }
}

function nameOf(bytes: Uint8Array, start: number, end: number): TextCommandName {
  for (const name of NAMES) {
    if (name.length !== end - start) continue;
    let at = 0;
    while (at < name.length && bytes[start + at] === name.charCodeAt(at)) at++;
    if (at === name.length) return name;
  }
  return "unknown";
}

function indexOfSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== SPACE) at++;
  return at;
}

function hasTab(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte <= CARRIAGE_RETURN && byte >= TAB) return true;
  }
  return false;
}

/** A length in decimal digits; -1 if it is none. */
function lengthIn(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > LENGTH_DIGITS_MAX) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
