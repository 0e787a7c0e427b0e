/**
 * Decimal numbers as `INCRBYFLOAT` computes with them: with 64 bits of mantissa, which is the
 * extended precision of x86 processors, so that 0.1 and 0.2 are 0.3 and not a little more.
 */

import { latin1 } from "./arguments.ts";

const MANTISSA_BITS = 64;
/** Powers of two between which numbers lie; beyond is infinity, below comes to zero. */
const EXPONENT_MAX = 16_384;
const EXPONENT_MIN = -16_445;
/** Greater and smaller powers of ten are out of range whatever the digits are. */
const DECIMAL_EXPONENT_MAX = 6000;
const TEXT_LENGTH_MAX = 5 * 1024;
const DIGITS_AFTER_POINT = 17;

/** A finite number, `mantissa` times two to the power of `exponent`. */
export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** Zero. */
export const LONG_DOUBLE_ZERO: LongDouble = { mantissa: 0n, exponent: 0 };

/**
 * The number that a text is; `Infinity` if it says so itself; undefined if it is none, or one too
 * great or too close to zero.
 */
export function parseLongDouble(bytes: Uint8Array): LongDouble | number | undefined {
  if (bytes.length === 0 || bytes.length > TEXT_LENGTH_MAX) return undefined;
  const text = latin1(bytes);
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return Infinity;
  const parts = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text);
  if (parts === null) return undefined;
  const [, sign, whole = "", fraction = "", power = "0"] = parts;
  if (whole === "" && fraction === "") return undefined;
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return LONG_DOUBLE_ZERO;
  const exponent = Number(power) - fraction.length;
  const magnitude = exponent + String(digits).length;
  if (Math.abs(magnitude) > DECIMAL_EXPONENT_MAX) return undefined;
  const signed = sign === "-" ? -digits : digits;
  const value = exponent >= 0
    ? rounded(signed * 10n ** BigInt(exponent), 1n, 0)
    : rounded(signed, 10n ** BigInt(-exponent), 0);
  return value?.mantissa === 0n ? undefined : value;
}

/** The sum, or undefined if it is too great. */
export function addLongDoubles(left: LongDouble, right: LongDouble): LongDouble | undefined {
  const exponent = Math.min(left.exponent, right.exponent);
  const sum = (left.mantissa << BigInt(left.exponent - exponent)) +
    (right.mantissa << BigInt(right.exponent - exponent));
  return rounded(sum, 1n, exponent);
}

/** In decimal: up to 17 digits behind the point, no exponent, no zeros at the end. */
export function formatLongDouble({ mantissa, exponent }: LongDouble): string {
  const scale = 10n ** BigInt(DIGITS_AFTER_POINT);
  const scaled = exponent >= 0
    ? (mantissa << BigInt(exponent)) * scale
    : divided(mantissa * scale, 1n << BigInt(-exponent));
  const magnitude = scaled < 0n ? -scaled : scaled;
  const digits = String(magnitude).padStart(DIGITS_AFTER_POINT + 1, "0");
  const whole = digits.slice(0, -DIGITS_AFTER_POINT);
  const fraction = digits.slice(-DIGITS_AFTER_POINT).replace(/0+$/, "");
  const text = fraction === "" ? whole : `${whole}.${fraction}`;
  // What is less than nothing by less than can be shown is shown as nothing.
  return mantissa < 0n && text !== "0" ? `-${text}` : text;
}

/** `numerator / denominator * 2 ** exponent`, to the nearest; undefined if it is too great. */
function rounded(
  numerator: bigint,
  denominator: bigint,
  exponent: number,
): LongDouble | undefined {
  if (numerator === 0n) return LONG_DOUBLE_ZERO;
  const surplus = bitLength(numerator) - bitLength(denominator) - MANTISSA_BITS;
  // One bit too many at most, as the lengths may be off by one.
  let shift = surplus;
  let mantissa = quotient(numerator, denominator, shift);
  if (bitLength(mantissa) > MANTISSA_BITS) {
    shift++;
    mantissa = quotient(numerator, denominator, shift);
  }
  // Near zero there are fewer bits.
  if (shift + exponent < EXPONENT_MIN) {
    shift = EXPONENT_MIN - exponent;
    mantissa = quotient(numerator, denominator, shift);
    if (mantissa === 0n) return LONG_DOUBLE_ZERO;
  }
  if (bitLength(mantissa) + shift + exponent > EXPONENT_MAX) return undefined;
  return { mantissa, exponent: shift + exponent };
}

function quotient(numerator: bigint, denominator: bigint, shift: number): bigint {
  return shift >= 0
    ? divided(numerator, denominator << BigInt(shift))
    : divided(numerator << BigInt(-shift), denominator);
}

/** Divides to the nearest integer, and to an even one from the middle. */
function divided(numerator: bigint, denominator: bigint): bigint {
  const magnitude = numerator < 0n ? -numerator : numerator;
  let result = magnitude / denominator;
  const twice = (magnitude % denominator) * 2n;
  if (twice > denominator || (twice === denominator && (result & 1n) === 1n)) result++;
  return numerator < 0n ? -result : result;
}

function bitLength(value: bigint): number {
  return (value < 0n ? -value : value).toString(2).length;
}
