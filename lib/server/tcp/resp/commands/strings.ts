/** Values as a whole: `GET`, `SET` and their kin. */

import { expiryOf, isWord, TIME_FORMS, type TimeForm } from "../arguments.ts";
import { type DataCommand, KEYS } from "../command.ts";
import type { Keyspace } from "../keyspace.ts";
import { bulk, integer, NULL_BULK, OK, ONE, ZERO } from "../replies.ts";
import type { Reply } from "../reply.ts";
import { RespError, syntaxError, wrongArity } from "../resp_error.ts";

/** What `SET` and `GETEX` are told beside key and value. */
interface StringOptions {
  condition: "nx" | "xx" | undefined;
  get: boolean;
  expiry: "keep" | "persist" | { form: TimeForm; value: Uint8Array } | undefined;
}

const TIME_WORDS = Object.keys(TIME_FORMS) as (keyof typeof TIME_FORMS)[];

/** Reads the options from argument `start` on; throws for one that this command does not have. */
function optionsOf(args: readonly Uint8Array[], start: number, isSet: boolean): StringOptions {
  const options: StringOptions = { condition: undefined, get: false, expiry: undefined };
  for (let at = start; at < args.length; at++) {
    const word = args[at]!;
    const { condition, expiry } = options;
    if (isSet && isWord(word, "nx") && condition !== "xx") options.condition = "nx";
    else if (isSet && isWord(word, "xx") && condition !== "nx") options.condition = "xx";
    else if (isSet && isWord(word, "get")) options.get = true;
    else if (isSet && isWord(word, "keepttl") && (expiry ?? "keep") === "keep") {
      options.expiry = "keep";
    } else if (!isSet && isWord(word, "persist") && (expiry ?? "persist") === "persist") {
      options.expiry = "persist";
    } else {
      const name = TIME_WORDS.find((name) => isWord(word, name));
      const value = args[++at];
      if (name === undefined || value === undefined) throw syntaxError();
      const form = TIME_FORMS[name];
      if (expiry !== undefined && (typeof expiry === "string" || expiry.form !== form)) {
        throw syntaxError();
      }
      options.expiry = { form, value };
    }
  }
  return options;
}

function runSet(keys: Keyspace, args: readonly Uint8Array[]): Reply {
  const [, key, value] = args as [Uint8Array, Uint8Array, Uint8Array];
  const { condition, get, expiry } = optionsOf(args, 3, true);
  let expiresAt: number | undefined;
  if (typeof expiry === "object") {
    expiresAt = expiryOf(expiry.value, expiry.form, "set", keys.now);
  }
  let reply = OK;
  if (get) reply = bulk(keys.get(key)?.value);
  if (condition !== undefined || expiry === "keep") {
    const state = keys.look(key);
    if (
      (condition === "nx" && state !== undefined) || (condition === "xx" && state === undefined)
    ) {
      return get ? reply : NULL_BULK;
    }
    if (expiry === "keep") expiresAt = state?.expiresAt;
  }
  keys.set(key, value, expiresAt);
  return reply;
}

const get: DataCommand = {
  name: "get",
  kind: "data",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: KEYS.one,
  group: "string",
  since: "1.0.0",
  summary: "Returns the value of a key.",
  readsValues: true,
  run: (keys, [, key]) => bulk(keys.get(key!)?.value),
};

const set: DataCommand = {
  name: "set",
  kind: "data",
  arity: -3,
  flags: ["write"],
  keys: KEYS.one,
  group: "string",
  since: "1.0.0",
  summary: "Sets the value of a key.",
  run: runSet,
  write(store, args, { clock }) {
    const options = optionsOf(args, 3, true);
    const { condition, get, expiry } = options;
    if (condition !== undefined || get || expiry === "keep") return undefined;
    const [, key, value] = args as [Uint8Array, Uint8Array, Uint8Array];
    if (typeof expiry !== "object") return store.set(key, value).then(() => OK);
    const now = clock.now();
    const expiresAt = expiryOf(expiry.value, expiry.form, "set", now);
    if (expiresAt <= now) return undefined;
    return store.set(key, value, { expiresAt }).then(() => OK);
  },
};

const setnx: DataCommand = {
  name: "setnx",
  kind: "data",
  arity: 3,
  flags: ["write", "fast"],
  keys: KEYS.one,
  group: "string",
  since: "1.0.0",
  summary: "Sets the value of a key that does not exist.",
  run(keys, [, key, value]) {
    if (keys.look(key!) !== undefined) return ZERO;
    keys.set(key!, value!, undefined);
    return ONE;
  },
};

/** `SETEX` and `PSETEX`. */
function setWithTime(name: string, since: string, form: TimeForm, unit: string): DataCommand {
  return {
    name,
    kind: "data",
    arity: 4,
    flags: ["write"],
    keys: KEYS.one,
    group: "string",
    since,
    summary: `Sets the value and the time to live, in ${unit}, of a key.`,
    run(keys, [, key, time, value]) {
      keys.set(key!, value!, expiryOf(time!, form, name, keys.now));
      return OK;
    },
    write(store, [, key, time, value], { clock }) {
      const expiresAt = expiryOf(time!, form, name, clock.now());
      return store.set(key!, value!, { expiresAt }).then(() => OK);
    },
  };
}

const getset: DataCommand = {
  name: "getset",
  kind: "data",
  arity: 3,
  flags: ["write", "fast"],
  keys: KEYS.one,
  group: "string",
  since: "1.0.0",
  summary: "Sets the value of a key and returns the one before.",
  run(keys, [, key, value]) {
    const reply = bulk(keys.get(key!)?.value);
    keys.set(key!, value!, undefined);
    return reply;
  },
};

const getdel: DataCommand = {
  name: "getdel",
  kind: "data",
  arity: 2,
  flags: ["write", "fast"],
  keys: KEYS.one,
  group: "string",
  since: "6.2.0",
  summary: "Returns the value of a key and deletes the key.",
  run(keys, [, key]) {
    const entry = keys.get(key!);
    if (entry === undefined) return NULL_BULK;
    keys.delete(key!);
    return bulk(entry.value);
  },
};

const getex: DataCommand = {
  name: "getex",
  kind: "data",
  arity: -2,
  flags: ["write", "fast"],
  keys: KEYS.one,
  group: "string",
  since: "6.2.0",
  summary: "Returns the value of a key and may set or remove its time to live.",
  run(keys, args) {
    const key = args[1]!;
    const { expiry } = optionsOf(args, 2, false);
    const entry = keys.get(key);
    if (entry === undefined) return NULL_BULK;
    if (expiry === "persist") {
      if (entry.expiresAt !== undefined) keys.set(key, entry.value, undefined);
    } else if (typeof expiry === "object") {
      keys.set(key, entry.value, expiryOf(expiry.value, expiry.form, "getex", keys.now));
    }
    return bulk(entry.value);
  },
};

const mget: DataCommand = {
  name: "mget",
  kind: "data",
  arity: -2,
  flags: ["readonly", "fast"],
  keys: KEYS.all,
  group: "string",
  since: "1.0.0",
  summary: "Returns the values of several keys.",
  readsValues: true,
  run(keys, args) {
    const values: (Uint8Array | undefined)[] = [];
    for (let at = 1; at < args.length; at++) values.push(keys.get(args[at]!)?.value);
    return (out) => {
      out.array(values.length);
      for (const value of values) {
        if (value === undefined) out.nullBulk();
        else out.bulk(value);
      }
    };
  },
};

/** `MSET` and `MSETNX`. */
function setMany(name: string, onlyAbsent: boolean, summary: string): DataCommand {
  return {
    name,
    kind: "data",
    arity: -3,
    flags: ["write"],
    keys: KEYS.pairs,
    group: "string",
    since: "1.0.1",
    summary,
    run(keys, args) {
      if (args.length % 2 === 0) throw new RespError(wrongArity(name));
      if (onlyAbsent) {
        for (let at = 1; at < args.length; at += 2) {
          if (keys.look(args[at]!) !== undefined) return ZERO;
        }
      }
      for (let at = 1; at < args.length; at += 2) keys.set(args[at]!, args[at + 1]!, undefined);
      return onlyAbsent ? ONE : OK;
    },
  };
}

const strlen: DataCommand = {
  name: "strlen",
  kind: "data",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: KEYS.one,
  group: "string",
  since: "2.2.0",
  summary: "Returns the length of a value in bytes.",
  run: (keys, [, key]) => integer(keys.look(key!)?.size ?? 0),
};

/** All commands for values as a whole. */
export const STRING_COMMANDS: readonly DataCommand[] = [
  get,
  set,
  setnx,
  setWithTime("setex", "2.0.0", TIME_FORMS.ex, "seconds"),
  setWithTime("psetex", "2.6.0", TIME_FORMS.px, "milliseconds"),
  getset,
  getdel,
  getex,
  mget,
  setMany("mset", false, "Sets the values of several keys, all at once."),
  setMany("msetnx", true, "Sets the values of several keys if none of them exists."),
  strlen,
];
