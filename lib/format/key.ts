/** Keys as bytes: encoding, and the checks that every key passes before anything is written. */

import { type Buffer, isUtf8 } from "node:buffer";
import { KvError } from "../errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const SHOWN_CHARACTERS_MAX = 60;

/**
 * Writes a key as UTF-8 into `target` at `at`, where there is room for 3 bytes per character, and
 * returns its length in bytes. Throws `InvalidKey` for keys that are empty, too long, or not
 * representable.
 */
export function encodeKey(
  key: string | Uint8Array,
  target: Uint8Array,
  at: number,
  keyBytesMax: number,
): number {
  if (typeof key === "string") {
    const length = key.length;
    // One character is at least one byte, so this bounds the work on absurd keys.
    if (length === 0 || length > keyBytesMax) throw invalidKeyLength(key, length, keyBytesMax);
    for (let index = 0; index < length; index++) {
      const unit = key.charCodeAt(index);
      if (unit > 0x7f) return encodeNonAsciiKey(key, target, at, keyBytesMax);
      target[at + index] = unit;
    }
    return length;
  }
  checkKeyBytes(key, keyBytesMax);
  target.set(key, at);
  return key.length;
}

/** Room that {@link encodeKey} may need for a key, in bytes. */
export function keyRoom(key: string | Uint8Array, keyBytesMax: number): number {
  if (typeof key === "string") return Math.min(key.length, keyBytesMax) * 3;
  assertBytes(key);
  return Math.min(key.length, keyBytesMax);
}

/** Turns stored key bytes back into the string they were written as. */
export function decodeKey(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** As {@link decodeKey}, for the first `length` bytes of `buffer`; quicker where they are ASCII. */
export function decodeKeyAt(buffer: Buffer, length: number): string {
  let seen = 0;
  for (let at = 0; at < length; at++) seen |= buffer[at]!;
  return seen < 0x80 ? buffer.toString("latin1", 0, length) : decodeKey(buffer.subarray(0, length));
}

/** A key as it can stand in a one-line message: quoted, escaped, and cut when long. */
export function showKey(key: string | Uint8Array): string {
  const text = typeof key === "string" ? key : new TextDecoder().decode(key.subarray(0, 256));
  const shown = text.length > SHOWN_CHARACTERS_MAX
    ? text.slice(0, SHOWN_CHARACTERS_MAX) + "…"
    : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function encodeNonAsciiKey(
  key: string,
  target: Uint8Array,
  at: number,
  keyBytesMax: number,
): number {
  if (!key.isWellFormed()) {
    throw new KvError(
      "InvalidKey",
      `Key ${showKey(key.toWellFormed())} holds half of a surrogate pair, which UTF-8 cannot ` +
        `represent: encode binary keys as text, for example as hexadecimal`,
    );
  }
  const { written } = encoder.encodeInto(key, target.subarray(at, at + key.length * 3));
  if (written > keyBytesMax) throw invalidKeyLength(key, written, keyBytesMax);
  return written;
}

/** Throws `InvalidKey` unless these bytes can be a key. */
export function checkKeyBytes(key: Uint8Array, keyBytesMax: number): void {
  assertBytes(key);
  checkKeyLength(key, keyBytesMax);
  if (!isUtf8(key)) {
    throw new KvError(
      "InvalidKey",
      `Key ${showKey(key)} is not valid UTF-8: encode binary keys as text, ` +
        `for example as hexadecimal`,
    );
  }
}

function checkKeyLength(key: Uint8Array, keyBytesMax: number): void {
  const { length } = key;
  if (length === 0 || length > keyBytesMax) throw invalidKeyLength(key, length, keyBytesMax);
}

function invalidKeyLength(
  key: string | Uint8Array,
  length: number,
  keyBytesMax: number,
): KvError {
  if (length === 0) {
    return new KvError("InvalidKey", "Key is empty: a key needs at least one byte");
  }
  return new KvError(
    "InvalidKey",
    `Key ${showKey(key)} is ${length} bytes or longer: at most ${keyBytesMax} are allowed ` +
      `(option keyBytesMax)`,
  );
}

/** For callers without type checking: everything else was ruled out before. */
function assertBytes(key: unknown): asserts key is Uint8Array {
  if (key instanceof Uint8Array) return;
  throw new KvError(
    "InvalidKey",
    `Key is ${key === null ? "null" : `of type ${typeof key}`}: pass a string or a Uint8Array`,
  );
}
