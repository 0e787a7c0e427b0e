/** Values as numbers: `INCR` and its kin. */

import { INT64_MAX, INT64_MIN, integerOf, toInteger } from "../arguments.ts";
import { type DataCommand, KEYS } from "../command.ts";
import type { Keyspace } from "../keyspace.ts";
import {
  addLongDoubles,
  formatLongDouble,
  LONG_DOUBLE_ZERO,
  parseLongDouble,
} from "../long_double.ts";
import { bulk, integer } from "../replies.ts";
import type { Reply } from "../reply.ts";
import { notAnInteger, RespError } from "../resp_error.ts";

const encoder = new TextEncoder();

/** Adds to the integer under a key, 0 if there is none. */
function increment(keys: Keyspace, key: Uint8Array, by: number | bigint): Reply {
  const entry = keys.get(key);
  const before = entry === undefined ? 0 : toInteger(entry.value);
  if (before === undefined) throw notAnInteger();
  const sum = add(before, by);
  keys.set(key, encoder.encode(String(sum)), entry?.expiresAt);
  return integer(sum);
}

function add(left: number | bigint, right: number | bigint): number | bigint {
  if (typeof left === "number" && typeof right === "number") {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const sum = BigInt(left) + BigInt(right);
  if (sum < INT64_MIN || sum > INT64_MAX) {
    throw new RespError("ERR increment or decrement would overflow");
  }
  return sum;
}

function negative(value: number | bigint): number | bigint {
  if (value === INT64_MIN) throw new RespError("ERR decrement would overflow");
  return typeof value === "number" ? 0 - value : -value;
}

function incrementFloat(keys: Keyspace, key: Uint8Array, argument: Uint8Array): Reply {
  const entry = keys.get(key);
  const before = entry === undefined ? LONG_DOUBLE_ZERO : parseLongDouble(entry.value);
  const by = parseLongDouble(argument);
  if (before === undefined || by === undefined) {
    throw new RespError("ERR value is not a valid float");
  }
  const sum = typeof before === "object" && typeof by === "object"
    ? addLongDoubles(before, by)
    : undefined;
  if (sum === undefined) throw new RespError("ERR increment would produce NaN or Infinity");
  const text = formatLongDouble(sum);
  keys.set(key, encoder.encode(text), entry?.expiresAt);
  return bulk(text);
}

function counter(
  name: string,
  summary: string,
  argument: ((value: number | bigint) => number | bigint) | 1 | -1,
): DataCommand {
  return {
    name,
    kind: "data",
    arity: typeof argument === "number" ? 2 : 3,
    flags: ["write", "fast"],
    keys: KEYS.one,
    group: "string",
    since: "1.0.0",
    summary,
    run: (keys, [, key, by]) =>
      increment(keys, key!, typeof argument === "number" ? argument : argument(integerOf(by!))),
  };
}

const incrbyfloat: DataCommand = {
  name: "incrbyfloat",
  kind: "data",
  arity: 3,
  flags: ["write", "fast"],
  keys: KEYS.one,
  group: "string",
  since: "2.6.0",
  summary: "Adds a decimal number to the one under a key.",
  run: (keys, [, key, by]) => incrementFloat(keys, key!, by!),
};

/** All commands for values that are numbers. */
export const COUNTER_COMMANDS: readonly DataCommand[] = [
  counter("incr", "Adds one to the integer under a key.", 1),
  counter("decr", "Subtracts one from the integer under a key.", -1),
  counter("incrby", "Adds to the integer under a key.", (value) => value),
  counter("decrby", "Subtracts from the integer under a key.", negative),
  incrbyfloat,
];
