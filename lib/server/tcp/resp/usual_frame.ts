/**
 * Finds `GET key` and `SET key value` where they lie in the bytes of a client, when they are whole and
 * in the form that clients send. Whatever else there is, or is wrong, is for the parser to find: this
 * knows no errors, and no limits but one that is below those of the parser.
 *
 * Under Bun the parser takes 0.4 µs for such a command, most of it for views; this takes 0.05 µs.
 */

const STAR = 0x2a;
const DOLLAR = 0x24;
const RETURN = 0x0d;
const LINE_FEED = 0x0a;
const ZERO = 0x30;
const THREE = 0x33;
/** `*2\r\n$3\r\nGET\r\n`. */
const HEAD_BYTES = 13;
const DIGITS_MAX = 6;

/** Where the parts of a command are. */
export class UsualFrame {
  /** Whether it is a `SET`; else it is a `GET`. */
  isSet = false;
  keyStart = 0;
  keyEnd = 0;
  /** Where the value of a `SET` is. */
  valueStart = 0;
  valueEnd = 0;
  /** Where the command ends. */
  end = 0;

  readonly #argumentBytesMax: number;

  /** Longer arguments are left to the parser. */
  constructor(argumentBytesMax: number) {
    this.#argumentBytesMax = argumentBytesMax;
  }

  /** Whether the bytes from `start` to `end` begin with such a command. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    if (
      end - start < HEAD_BYTES || bytes[start] !== STAR || bytes[start + 5] !== THREE ||
      bytes[start + 4] !== DOLLAR || !isLineEnd(bytes, start + 2) ||
      !isLineEnd(bytes, start + 6) || !isLineEnd(bytes, start + 11)
    ) return false;
    const count = bytes[start + 1]! - ZERO;
    const second = bytes[start + 9]! | 0x20;
    if (second !== 0x65 || (bytes[start + 10]! | 0x20) !== 0x74) return false; // neither `.et`
    const first = bytes[start + 8]! | 0x20;
    this.isSet = count === 3 && first === 0x73;
    if (!this.isSet && (count !== 2 || first !== 0x67)) return false;
    const keyStart = this.#argument(bytes, start + HEAD_BYTES, end);
    if (keyStart < 0) return false;
    this.keyStart = keyStart;
    this.keyEnd = this.end - 2;
    if (!this.isSet) return true;
    const valueStart = this.#argument(bytes, this.end, end);
    if (valueStart < 0) return false;
    this.valueStart = valueStart;
    this.valueEnd = this.end - 2;
    return true;
  }

  /** Where the argument begins whose header is at `at`, or -1; sets `end` behind all of it. */
  #argument(bytes: Uint8Array, at: number, end: number): number {
    if (bytes[at] !== DOLLAR || at >= end) return -1;
    const first = at + 1;
    const last = Math.min(end, first + DIGITS_MAX);
    let length = 0;
    let digit = first;
    for (; digit < last; digit++) {
      const value = bytes[digit]! - ZERO;
      if (value < 0 || value > 9) break;
      length = length * 10 + value;
    }
    // A number with zeros before it is no length, and one that is cut off here may be a longer one.
    if (digit === first || digit === last || (bytes[first] === ZERO && digit > first + 1)) {
      return -1;
    }
    if (length > this.#argumentBytesMax) return -1;
    const argumentStart = digit + 2;
    const argumentEnd = argumentStart + length;
    if (argumentEnd + 2 > end || !isLineEnd(bytes, digit)) return -1;
    if (!isLineEnd(bytes, argumentEnd)) return -1;
    this.end = argumentEnd + 2;
    return argumentStart;
  }
}

function isLineEnd(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === RETURN && bytes[at + 1] === LINE_FEED;
}
