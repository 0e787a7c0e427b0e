/** Times to live: seconds on the wire, with fractions down to a millisecond. */

import * as v from "valibot";
import { invalidArgument } from "./problem.ts";

const TTL_SECONDS_MIN = 0.001;
const TTL_SECONDS_MAX = 999_999_999_999;
const EXPECTED = `a number of seconds from ${TTL_SECONDS_MIN} to ${TTL_SECONDS_MAX}`;

/** A time to live as a number. */
export const ttlSeconds: v.GenericSchema<number> = v.pipe(
  v.number(EXPECTED),
  v.minValue(TTL_SECONDS_MIN, EXPECTED),
  v.maxValue(TTL_SECONDS_MAX, EXPECTED),
);

/** The milliseconds in a time to live, rounded. */
export function ttlMillis(seconds: number): number {
  return Math.round(seconds * 1000);
}

/** Reads `?ttl=`, by hand because it is on the way of every write. */
export function parseTtl(written: string): number {
  const seconds = /^\d{1,12}(?:\.\d{1,3})?$/.test(written) ? Number(written) : 0;
  if (seconds < TTL_SECONDS_MIN || seconds > TTL_SECONDS_MAX) {
    throw invalidArgument(
      "ttl",
      `ttl is ${
        JSON.stringify(written.slice(0, 60))
      }: it must be ${EXPECTED}, with at most three ` +
        `decimals, as in ?ttl=90 or ?ttl=0.5`,
    );
  }
  return ttlMillis(seconds);
}
