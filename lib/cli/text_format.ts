/** How figures and values are shown. */

import { Buffer } from "node:buffer";

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `1536` as `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** `1234567` as `1,234,567`, whatever the locale. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `"1 segment"`, `"1,200 segments"`. */
export function formatQuantity(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Milliseconds with three significant places: `0.42 ms`, `12.3 ms`, `4.05 s`. */
export function formatMillis(millis: number): string {
  return millis >= 1000
    ? `${(millis / 1000).toPrecision(3)} s`
    : `${Number(millis.toPrecision(3))} ms`;
}

const NANO_UNITS = ["ns", "\u00b5s", "ms", "s"] as const;

/** Nanoseconds with three significant places, in the unit that suits: `830 ns`, `12.3 µs`. */
export function formatNanos(nanos: number): string {
  let value = nanos;
  let unit = 0;
  while (Number(value.toPrecision(3)) >= 1000 && unit < NANO_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const shown = value >= 1000 ? String(Math.round(value)) : value.toPrecision(3);
  return `${unit === 0 ? Math.round(value) : shown} ${NANO_UNITS[unit]}`;
}

/** A share of a whole in percent; `-` of nothing. */
export function formatShare(part: number, whole: number): string {
  return whole === 0 ? "-" : `${(100 * part / whole).toFixed(1)}%`;
}

/** A value inside JSON: as text where it is UTF-8, otherwise in base64 with a mark. */
export function jsonValue(bytes: Uint8Array): { value: string; encoding?: "base64" } {
  try {
    // A byte order mark is part of the value.
    return { value: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { value: view.toString("base64"), encoding: "base64" };
  }
}
