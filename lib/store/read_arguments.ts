/** Validation of what reads are given beside a key. */

import { KvError } from "../errors.ts";
import { assertKnownOptions, assertOptionsObject, showValue } from "./options.ts";
import type { ReadOptions } from "./types.ts";

/** Checks options and returns the longest value to read; throws `InvalidArgument`. */
export function checkReadOptions(options: ReadOptions): number {
  assertOptionsObject(options);
  assertKnownOptions(options, ["valueBytesMax"]);
  const { valueBytesMax = Infinity } = options;
  if (typeof valueBytesMax === "number" && valueBytesMax >= 0) return valueBytesMax;
  throw new KvError(
    "InvalidArgument",
    `Option valueBytesMax is ${showValue(valueBytesMax)}: it must be a number of 0 or more`,
  );
}
