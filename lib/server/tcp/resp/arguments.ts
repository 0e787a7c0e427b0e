/** Arguments of commands: words, numbers and times, out of the bytes that a client sends. */

import { Buffer } from "node:buffer";
import { EXPIRES_AT_LIMIT } from "../../../limits.ts";
import { notAnInteger, RespError } from "./resp_error.ts";

/** Smallest and greatest integers of 64 bits. */
export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;
/** Bytes of what a client has sent that an error shows at most. */
export const SHOWN_BYTES_MAX = 128;
/** Seconds below this are more milliseconds than 64 bits hold; no number is as exact. */
const SECONDS_MIN = INT64_MIN / 1000n;

/** Bytes as text with one character a byte: good for messages, and as keys of maps. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Bytes as UTF-8; what is none is replaced. */
export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

/** What a client has sent, as an error shows it: of more than 128 bytes only the beginning. */
export function shown(bytes: Uint8Array, bytesMax: number = SHOWN_BYTES_MAX): string {
  return utf8(bytes.subarray(0, bytesMax));
}

/** Whether `bytes` are this word of lower-case letters, in whichever case. */
export function isWord(bytes: Uint8Array, word: string): boolean {
  const { length } = word;
  if (bytes.length !== length) return false;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== word.charCodeAt(at)) return false;
  }
  return true;
}

/**
 * The integer that these bytes are in decimal, if it fits 64 bits: no sign but `-`, no zeros before
 * it, nothing around it. A bigint only where a number would not be exact.
 */
export function toInteger(bytes: Uint8Array): number | bigint | undefined {
  const { length } = bytes;
  if (length === 0 || length > 20) return undefined;
  const first = bytes[0]!;
  if (length === 1) return first >= 0x30 && first <= 0x39 ? first - 0x30 : undefined;
  const start = first === 0x2d ? 1 : 0;
  if (bytes[start]! < 0x31 || bytes[start]! > 0x39) return undefined;
  let value = 0;
  for (let at = start; at < length; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (value <= Number.MAX_SAFE_INTEGER) return start === 1 ? -value : value;
  const exact = BigInt(latin1(bytes));
  return exact >= INT64_MIN && exact <= INT64_MAX ? exact : undefined;
}

/** An integer of 64 bits; throws if there is none. */
export function integerOf(bytes: Uint8Array): number | bigint {
  const value = toInteger(bytes);
  if (value === undefined) throw notAnInteger();
  return value;
}

/** An integer of 64 bits as a number: exact where it matters, as no value is that long. */
export function positionOf(bytes: Uint8Array): number {
  return Number(integerOf(bytes));
}

/** How a command states a time. */
export interface TimeForm {
  /** Milliseconds of one unit: 1 or 1000. */
  readonly unitMs: 1 | 1000;
  /** Whether it counts from the epoch, and not from now. */
  readonly isAbsolute: boolean;
}

/** Ways to state a time, by the names of their options. */
export const TIME_FORMS: Readonly<Record<"ex" | "px" | "exat" | "pxat", TimeForm>> = {
  ex: { unitMs: 1000, isAbsolute: false },
  px: { unitMs: 1, isAbsolute: false },
  exat: { unitMs: 1000, isAbsolute: true },
  pxat: { unitMs: 1, isAbsolute: true },
};

/** A time to come, in milliseconds since the epoch, as `SET` and its like have it. */
export function expiryOf(bytes: Uint8Array, form: TimeForm, command: string, now: number): number {
  const value = integerOf(bytes);
  if (value <= 0) throw invalidExpiry(command);
  return checkedTime(value, form, command, now);
}

/** Any time, in milliseconds since the epoch, as `EXPIRE` and its like have it: it may be over. */
export function timeOf(bytes: Uint8Array, form: TimeForm, command: string, now: number): number {
  return checkedTime(integerOf(bytes), form, command, now);
}

function checkedTime(
  value: number | bigint,
  { unitMs, isAbsolute }: TimeForm,
  command: string,
  now: number,
): number {
  if (unitMs === 1000 && value < SECONDS_MIN) throw invalidExpiry(command);
  const time = Number(value) * unitMs + (isAbsolute ? 0 : now);
  if (time > EXPIRES_AT_LIMIT) throw invalidExpiry(command);
  return time;
}

function invalidExpiry(command: string): RespError {
  return new RespError(`ERR invalid expire time in '${command}' command`);
}
