/** The header `Range` (RFC 9110, section 14): one range of bytes of a value. */

/** Bytes `first` to `last`, both included. */
export interface ByteRange {
  first: number;
  last: number;
}

const SINGLE_RANGE = /^bytes=\s*(?:(\d+)-(\d*)|-(\d+))\s*$/i;

/**
 * The range of `length` bytes that a header asks for; `"none"` if the value has no such bytes, and
 * undefined if all of it is to be sent: because the header is malformed, in another unit, or asks for
 * several ranges, which a server may ignore.
 */
export function parseRange(header: string, length: number): ByteRange | "none" | undefined {
  const [matched, from, to, suffix] = SINGLE_RANGE.exec(header) ?? [];
  if (matched === undefined) return undefined;
  if (from === undefined) {
    const count = Math.min(Number(suffix), length);
    return count === 0 ? "none" : { first: length - count, last: length - 1 };
  }
  const first = Number(from);
  const last = to === undefined || to === "" ? Infinity : Number(to);
  if (last < first) return undefined;
  return first >= length ? "none" : { first, last: Math.min(last, length - 1) };
}
