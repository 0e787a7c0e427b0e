/**
 * Patterns of keys: `*` is any bytes, `?` one byte, `[abc]`, `[a-z]` and `[^a]` one of a set or one
 * not of it, and `\` takes the meaning from what follows. Matching goes over a text once and keeps
 * all places of the pattern at which it may be as bits, so no pattern makes it slow.
 */

import { KEY_BYTES_LIMIT, PATTERN_BYTES_MAX } from "../../../limits.ts";
import { RespError } from "./resp_error.ts";

const STAR = 0x2a;
const QUESTION = 0x3f;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const BACKSLASH = 0x5c;
const CARET = 0x5e;
const DASH = 0x2d;

/** One byte of a text, by a set of 256 bits; or any number of any bytes. */
type Token = Uint8Array | "star";

/** A pattern, ready to be matched. */
export class Glob {
  /** What every text that matches begins with. */
  readonly prefix: Uint8Array;
  /** Whether only `prefix` itself matches. */
  readonly isLiteral: boolean;
  /** Whether everything matches that begins with `prefix`. */
  readonly isPrefix: boolean;
  /** Tokens behind the prefix that stand for one byte each. */
  readonly #length: number;
  /** Words of bits that the places 0 to `#length` take. */
  readonly #words: number;
  /** By byte and word: the places that such a byte leads to. */
  readonly #steps: Uint32Array;
  /** The places at which any byte may be passed over. */
  readonly #loops: Uint32Array;

  /**
   * With `ignoreCase`, ASCII letters match in either case, and there is no prefix. Throws `RespError`
   * for a pattern that is too long.
   */
  constructor(pattern: Uint8Array, ignoreCase = false) {
    const { prefix, tokens } = parse(pattern, ignoreCase);
    this.prefix = prefix;
    this.isLiteral = tokens.length === 0;
    this.isPrefix = tokens.length === 1 && tokens[0] === "star";
    this.#length = tokens.filter((token) => token !== "star").length;
    this.#words = (this.#length >>> 5) + 1;
    this.#steps = new Uint32Array(256 * this.#words);
    this.#loops = new Uint32Array(this.#words);
    let place = 0;
    for (const token of tokens) {
      if (token === "star") {
        this.#loops[place >>> 5]! |= 1 << (place & 31);
        continue;
      }
      place++;
      for (let byte = 0; byte < 256; byte++) {
        if (token[byte] === 1) {
          this.#steps[byte * this.#words + (place >>> 5)]! |= 1 << (place & 31);
        }
      }
    }
  }

  /**
   * Whether the pattern matches all of `text`, of which only the first `length` bytes count. It must
   * begin with the prefix.
   */
  matches(text: Uint8Array, length: number = text.length): boolean {
    if (this.isLiteral) return length === this.prefix.length;
    if (this.isPrefix) return true;
    return this.#words === 1 ? this.#matchesShort(text, length) : this.#matchesLong(text, length);
  }

  #matchesShort(text: Uint8Array, length: number): boolean {
    const loops = this.#loops[0]!;
    let places = 1;
    for (let at = this.prefix.length; at < length; at++) {
      places = ((places << 1) & this.#steps[text[at]!]!) | (places & loops);
      if (places === 0) return false;
    }
    return ((places >>> this.#length) & 1) === 1;
  }

  #matchesLong(text: Uint8Array, length: number): boolean {
    const words = this.#words;
    const places = new Uint32Array(words);
    places[0] = 1;
    for (let at = this.prefix.length; at < length; at++) {
      const steps = text[at]! * words;
      let carry = 0;
      let any = 0;
      for (let word = 0; word < words; word++) {
        const before = places[word]!;
        const next = (((before << 1) | carry) & this.#steps[steps + word]!) |
          (before & this.#loops[word]!);
        carry = before >>> 31;
        places[word] = next;
        any |= next;
      }
      if (any === 0) return false;
    }
    return ((places[this.#length >>> 5]! >>> (this.#length & 31)) & 1) === 1;
  }
}

function parse(pattern: Uint8Array, ignoreCase: boolean) {
  const tokens: Token[] = [];
  const prefix: number[] = [];
  if (pattern.length > KEY_BYTES_LIMIT * 2) throw tooLong();
  let at = 0;
  while (at < pattern.length) {
    if (tokens.length > PATTERN_BYTES_MAX) throw tooLong();
    const byte = pattern[at++]!;
    if (byte === STAR) {
      if (tokens.at(-1) !== "star") tokens.push("star");
    } else if (byte === QUESTION) {
      tokens.push(new Uint8Array(256).fill(1));
    } else if (byte === BRACKET) {
      const set = parseSet(pattern, at, ignoreCase);
      tokens.push(set.members);
      at = set.end;
    } else {
      const literal = byte === BACKSLASH && at < pattern.length ? pattern[at++]! : byte;
      if (tokens.length === 0 && !ignoreCase) prefix.push(literal);
      else tokens.push(addRange(new Uint8Array(256), literal, literal, ignoreCase));
    }
  }
  return { prefix: Uint8Array.from(prefix), tokens };
}

function tooLong(): RespError {
  return new RespError(
    `ERR pattern is too long: at most ${PATTERN_BYTES_MAX} bytes from the first of * ? [ on`,
  );
}

/** The set whose first byte is at `start`; one that is not closed ends with the pattern. */
function parseSet(pattern: Uint8Array, start: number, ignoreCase: boolean) {
  const members = new Uint8Array(256);
  let at = start;
  const isNegated = pattern[at] === CARET;
  if (isNegated) at++;
  while (at < pattern.length && pattern[at] !== BRACKET_END) {
    let first = pattern[at]!;
    if (first === BACKSLASH && at + 1 < pattern.length) {
      first = pattern[at + 1]!;
      addRange(members, first, first, ignoreCase);
      at += 2;
    } else if (pattern[at + 1] === DASH && at + 2 < pattern.length) {
      addRange(members, first, pattern[at + 2]!, ignoreCase);
      at += 3;
    } else {
      addRange(members, first, first, ignoreCase);
      at++;
    }
  }
  if (isNegated) members.forEach((member, byte) => members[byte] = 1 - member);
  return { members, end: at + 1 };
}

function addRange(members: Uint8Array, first: number, last: number, ignoreCase: boolean) {
  for (let byte = Math.min(first, last); byte <= Math.max(first, last); byte++) {
    members[byte] = 1;
    if (!ignoreCase) continue;
    if (byte >= 0x41 && byte <= 0x5a) members[byte | 0x20] = 1;
    if (byte >= 0x61 && byte <= 0x7a) members[byte & ~0x20] = 1;
  }
  return members;
}
