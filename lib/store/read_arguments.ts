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

/** Throws `InvalidArgument` unless `length` bytes from `start` lie within `bytes`. */
export function checkKeyRange(bytes: Uint8Array, start: number, length: number): void {
  const isWithin = bytes instanceof Uint8Array && Number.isInteger(start) && start >= 0 &&
    Number.isInteger(length) && length >= 0 && start + length <= bytes.length;
  if (isWithin) return;
  const where = bytes instanceof Uint8Array ? `${bytes.length} bytes` : showValue(bytes);
  throw new KvError(
    "InvalidArgument",
    `The key begins at ${showValue(start)} of ${where} and has the length ${showValue(length)}: ` +
      `pass a Uint8Array, and a part of it`,
  );
}
