/** Parts of values: `APPEND`, `GETRANGE`, `SETRANGE`. */

import { positionOf } from "../arguments.ts";
import { type DataCommand, KEYS } from "../command.ts";
import { bulk, integer, ZERO } from "../replies.ts";
import { RespError, stringTooLong } from "../resp_error.ts";

const NO_BYTES = new Uint8Array(0);

const append: DataCommand = {
  name: "append",
  kind: "data",
  arity: 3,
  flags: ["write", "fast"],
  keys: KEYS.one,
  group: "string",
  since: "2.0.0",
  summary: "Appends to a value, and returns how long it is then.",
  run(keys, [, key, tail]) {
    const entry = keys.get(key!);
    const before = entry?.value ?? NO_BYTES;
    const length = before.length + tail!.length;
    if (length > keys.limits.valueBytesMax) throw stringTooLong(keys.limits.valueBytesMax);
    const value = new Uint8Array(length);
    value.set(before);
    value.set(tail!, before.length);
    keys.set(key!, value, entry?.expiresAt);
    return integer(length);
  },
};

const getrange: DataCommand = {
  name: "getrange",
  kind: "data",
  arity: 4,
  flags: ["readonly"],
  keys: KEYS.one,
  group: "string",
  since: "2.4.0",
  summary: "Returns a part of a value.",
  readsValues: true,
  run(keys, [, key, first, last]) {
    let start = positionOf(first!);
    let end = positionOf(last!);
    const value = keys.get(key!)?.value ?? NO_BYTES;
    if (start < 0 && end < 0 && start > end) return bulk(NO_BYTES);
    if (start < 0) start = Math.max(0, start + value.length);
    if (end < 0) end = Math.max(0, end + value.length);
    return bulk(start > end ? NO_BYTES : value.subarray(start, end + 1));
  },
};

const setrange: DataCommand = {
  name: "setrange",
  kind: "data",
  arity: 4,
  flags: ["write"],
  keys: KEYS.one,
  group: "string",
  since: "2.2.0",
  summary: "Overwrites a part of a value, and returns how long it is then.",
  run(keys, [, key, offset, part]) {
    const start = positionOf(offset!);
    if (start < 0) throw new RespError("ERR offset is out of range");
    if (part!.length === 0) {
      const state = keys.look(key!);
      return state === undefined ? ZERO : integer(state.size);
    }
    const end = start + part!.length;
    if (end > keys.limits.valueBytesMax) throw stringTooLong(keys.limits.valueBytesMax);
    const entry = keys.get(key!);
    const before = entry?.value ?? NO_BYTES;
    const value = new Uint8Array(Math.max(before.length, end));
    value.set(before);
    value.set(part!, start);
    keys.set(key!, value, entry?.expiresAt);
    return integer(value.length);
  },
};

/** All commands for parts of values. */
export const RANGE_COMMANDS: readonly DataCommand[] = [append, getrange, setrange];
