/** Keys as such: `DEL`, `EXISTS`, `RENAME` and their kin. */

import { Buffer } from "node:buffer";
import { KvError } from "../../../../errors.ts";
import { type DataCommand, KEYS } from "../command.ts";
import type { Keyspace } from "../keyspace.ts";
import { integer, OK, ONE, ZERO } from "../replies.ts";
import type { Reply } from "../reply.ts";
import { RespError } from "../resp_error.ts";

/** `DEL` and `UNLINK`, which do the same here: there is no memory to free. */
function remove(
  name: string,
  since: string,
  flags: DataCommand["flags"],
  summary: string,
): DataCommand {
  return {
    name,
    kind: "data",
    arity: -2,
    flags,
    keys: KEYS.all,
    group: "generic",
    since,
    summary,
    run(keys, args) {
      let count = 0;
      for (let at = 1; at < args.length; at++) {
        if (keys.look(args[at]!) === undefined) continue;
        keys.delete(args[at]!);
        count++;
      }
      return integer(count);
    },
    write(store, args) {
      if (args.length !== 2) return undefined;
      return store.delete(args[1]!).then(() => ONE, noneIfMissing);
    },
  };
}

function noneIfMissing(error: unknown): Reply {
  if (error instanceof KvError && error.code === "NotFound") return ZERO;
  throw error;
}

/** `EXISTS` and `TOUCH`, which tell the same here: nothing is noted of accesses. */
function count(name: string, since: string, summary: string): DataCommand {
  return {
    name,
    kind: "data",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: KEYS.all,
    group: "generic",
    since,
    summary,
    run(keys, args) {
      let count = 0;
      for (let at = 1; at < args.length; at++) if (keys.look(args[at]!) !== undefined) count++;
      return integer(count);
    },
  };
}

const type: DataCommand = {
  name: "type",
  kind: "data",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: KEYS.one,
  group: "generic",
  since: "1.0.0",
  summary: "Returns what is stored under a key: string, or none.",
  run(keys, [, key]) {
    const text = keys.look(key!) === undefined ? "none" : "string";
    return (out) => out.simple(text);
  },
};

/** Moves a value with its expiry; returns whether it did. */
function move(keys: Keyspace, from: Uint8Array, to: Uint8Array, onlyAbsent: boolean): boolean {
  const entry = keys.get(from);
  if (entry === undefined) throw new RespError("ERR no such key");
  const isSame = Buffer.compare(from, to) === 0;
  if (isSame) return !onlyAbsent;
  if (onlyAbsent && keys.look(to) !== undefined) return false;
  keys.delete(from);
  keys.set(to, entry.value, entry.expiresAt);
  return true;
}

const rename: DataCommand = {
  name: "rename",
  kind: "data",
  arity: 3,
  flags: ["write"],
  keys: KEYS.two,
  group: "generic",
  since: "1.0.0",
  summary: "Gives a value another key, in the place of what that key has.",
  run(keys, [, from, to]) {
    move(keys, from!, to!, false);
    return OK;
  },
};

const renamenx: DataCommand = {
  name: "renamenx",
  kind: "data",
  arity: 3,
  flags: ["write", "fast"],
  keys: KEYS.two,
  group: "generic",
  since: "1.0.0",
  summary: "Gives a value another key if that one does not exist.",
  run: (keys, [, from, to]) => move(keys, from!, to!, true) ? ONE : ZERO,
};

/** All commands for keys as such. */
export const KEY_COMMANDS: readonly DataCommand[] = [
  remove("del", "1.0.0", ["write"], "Deletes keys."),
  remove("unlink", "4.0.0", ["write", "fast"], "Deletes keys, as DEL does."),
  count("exists", "1.0.0", "Counts which of these keys exist."),
  count("touch", "3.2.1", "Counts which of these keys exist, as EXISTS does."),
  type,
  rename,
  renamenx,
];
