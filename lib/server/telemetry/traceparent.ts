/** The header `traceparent` of W3C Trace Context: `version-trace id-parent id-flags`, in hex. */

const FORMAT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ALL_ZERO = /^0+$/;
/** Longer ones of a version to come are not looked at. */
const LENGTH_MAX = 128;

/** Whom a request says it was sent by. */
export interface TraceParent {
  traceId: string;
  spanId: string;
  traceFlags: number;
}

/** Reads the header; undefined if it is missing or not valid. */
export function parseTraceparent(header: string | null): TraceParent | undefined {
  if (header === null || header.length > LENGTH_MAX) return undefined;
  const match = FORMAT.exec(header);
  if (match === null) return undefined;
  const [, version, traceId, spanId, flags, more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (ALL_ZERO.test(traceId!) || ALL_ZERO.test(spanId!)) return undefined;
  return { traceId: traceId!, spanId: spanId!, traceFlags: Number.parseInt(flags!, 16) };
}
