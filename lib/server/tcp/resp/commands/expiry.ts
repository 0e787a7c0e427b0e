/** Times to live: `EXPIRE`, `TTL`, `PERSIST` and their kin. */

import { isWord, shown, TIME_FORMS, type TimeForm, timeOf } from "../arguments.ts";
import { type DataCommand, KEYS } from "../command.ts";
import { integer, ONE, ZERO } from "../replies.ts";
import { RespError } from "../resp_error.ts";

const NO_KEY = integer(-2);
const NO_EXPIRY = integer(-1);

/** When the expiry is to be changed. */
interface ExpireConditions {
  nx: boolean;
  xx: boolean;
  gt: boolean;
  lt: boolean;
}

const CONDITION_WORDS = ["nx", "xx", "gt", "lt"] as const;

function conditionsOf(args: readonly Uint8Array[]): ExpireConditions {
  const conditions = { nx: false, xx: false, gt: false, lt: false };
  for (let at = 3; at < args.length; at++) {
    const word = CONDITION_WORDS.find((word) => isWord(args[at]!, word));
    if (word === undefined) {
      throw new RespError(`ERR Unsupported option ${shown(args[at]!)}`);
    }
    conditions[word] = true;
  }
  const { nx, xx, gt, lt } = conditions;
  if (nx && (xx || gt || lt)) {
    throw new RespError("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (gt && lt) {
    throw new RespError("ERR GT and LT options at the same time are not compatible");
  }
  return conditions;
}

/** Whether an expiry `before`, undefined if there is none, may become `after`. */
function mayChange(
  { nx, xx, gt, lt }: ExpireConditions,
  before: number | undefined,
  after: number,
): boolean {
  if (nx && before !== undefined) return false;
  if (xx && before === undefined) return false;
  if (gt && (before === undefined || after <= before)) return false;
  return !(lt && before !== undefined && after >= before);
}

function expire(name: string, since: string, form: TimeForm, what: string): DataCommand {
  return {
    name,
    kind: "data",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEYS.one,
    group: "generic",
    since,
    summary: `Sets ${what} of a key.`,
    run(keys, args) {
      const [, key, time] = args as [Uint8Array, Uint8Array, Uint8Array];
      const conditions = conditionsOf(args);
      const expiresAt = timeOf(time, form, name, keys.now);
      const state = keys.look(key);
      if (state === undefined || !mayChange(conditions, state.expiresAt, expiresAt)) return ZERO;
      if (expiresAt <= keys.now) keys.delete(key);
      else keys.set(key, keys.get(key)!.value, expiresAt);
      return ONE;
    },
  };
}

function remaining(name: string, since: string, form: TimeForm, what: string): DataCommand {
  return {
    name,
    kind: "data",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEYS.one,
    group: "generic",
    since,
    summary: `Returns ${what} of a key; -1 if it does not expire, -2 if it does not exist.`,
    run(keys, [, key]) {
      const state = keys.look(key!);
      if (state === undefined) return NO_KEY;
      if (state.expiresAt === undefined) return NO_EXPIRY;
      const timeMs = state.expiresAt - (form.isAbsolute ? 0 : keys.now);
      return integer(form.unitMs === 1 ? timeMs : Math.floor((timeMs + 500) / 1000));
    },
  };
}

const persist: DataCommand = {
  name: "persist",
  kind: "data",
  arity: 2,
  flags: ["write", "fast"],
  keys: KEYS.one,
  group: "generic",
  since: "2.2.0",
  summary: "Removes the expiry of a key.",
  run(keys, [, key]) {
    if (keys.look(key!)?.expiresAt === undefined) return ZERO;
    keys.set(key!, keys.get(key!)!.value, undefined);
    return ONE;
  },
};

const { ex, px, exat, pxat } = TIME_FORMS;

/** All commands for times to live. */
export const EXPIRY_COMMANDS: readonly DataCommand[] = [
  expire("expire", "1.0.0", ex, "the time to live, in seconds,"),
  expire("pexpire", "2.6.0", px, "the time to live, in milliseconds,"),
  expire("expireat", "1.2.0", exat, "the expiry, in seconds since the epoch,"),
  expire("pexpireat", "2.6.0", pxat, "the expiry, in milliseconds since the epoch,"),
  remaining("ttl", "1.0.0", ex, "the time to live, in seconds,"),
  remaining("pttl", "2.6.0", px, "the time to live, in milliseconds,"),
  remaining("expiretime", "7.0.0", exat, "the expiry, in seconds since the epoch,"),
  remaining("pexpiretime", "7.0.0", pxat, "the expiry, in milliseconds since the epoch,"),
  persist,
];
