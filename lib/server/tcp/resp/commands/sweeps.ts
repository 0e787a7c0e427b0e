/** What has to do with all keys: `SCAN`, `KEYS`, `DBSIZE`, `RANDOMKEY`. */

import { SCAN_COUNT_MAX } from "../../../../limits.ts";
import type { ScanOptions } from "../../../../mod.ts";
import { integerOf, isWord, latin1 } from "../arguments.ts";
import { KEYS, type SweepCommand } from "../command.ts";
import { EncodedBulks } from "../encoded_bulks.ts";
import { Glob } from "../glob.ts";
import { bulk, bulkArray, EMPTY_ARRAY, integer } from "../replies.ts";
import type { Reply } from "../reply.ts";
import type { RespClient } from "../resp_client.ts";
import { RespError, syntaxError } from "../resp_error.ts";

const SCAN_COUNT_DEFAULT = 10;
const CURSOR_MAX = 2n ** 64n - 1n;
const EVERYTHING = new Glob(Uint8Array.of(0x2a));
const encoder = new TextEncoder();

/** What `SCAN` is told beside the cursor. */
interface ScanRequest {
  glob: Glob;
  count: number;
  /** Whether it wants keys of strings, or of any type. */
  wantsStrings: boolean;
}

function scanRequestOf(args: readonly Uint8Array[]): ScanRequest {
  const request = { glob: EVERYTHING, count: SCAN_COUNT_DEFAULT, wantsStrings: true };
  for (let at = 2; at < args.length; at += 2) {
    const word = args[at]!;
    const value = args[at + 1];
    if (value === undefined) throw syntaxError();
    if (isWord(word, "match")) request.glob = new Glob(value);
    else if (isWord(word, "type")) request.wantsStrings = isWord(value, "string");
    else if (isWord(word, "count")) {
      const count = Number(integerOf(value));
      if (count < 1) throw syntaxError();
      request.count = Math.min(count, SCAN_COUNT_MAX);
    } else throw syntaxError();
  }
  return request;
}

/** The cursor as a number; as no cursor is greater than what is exact, any that is is unknown. */
function cursorOf(bytes: Uint8Array): number {
  const text = latin1(bytes);
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > CURSOR_MAX) {
    throw new RespError("ERR invalid cursor");
  }
  return Number(text);
}

function scanReply(cursor: number, keys: readonly (string | Uint8Array)[]): Reply {
  const array = bulkArray(keys);
  return (out) => {
    out.array(2);
    out.bulk(String(cursor));
    array(out);
  };
}

async function runScan(client: RespClient, args: readonly Uint8Array[]): Promise<Reply> {
  const { store, cursors } = client.service;
  const cursor = cursorOf(args[1]!);
  const { glob, count, wantsStrings } = scanRequestOf(args);
  const after = cursor === 0 ? undefined : cursors.use(cursor);
  if (cursor !== 0 && after === undefined) {
    throw new RespError(
      "ERR invalid cursor: it is not known here, or not any more; begin again with SCAN 0",
    );
  }
  if (!wantsStrings) return scanReply(0, []);
  if (glob.isLiteral) return scanReply(0, existing(client, glob.prefix));
  const found: string[] = [];
  const match = matcherOf(glob);
  let last = "";
  let looked = 0;
  for await (const { key } of store.scan(rangeOf(glob, after, count))) {
    last = key;
    looked++;
    if (match(key)) found.push(key);
  }
  return scanReply(looked < count ? 0 : cursors.add(last, cursor), found);
}

function rangeOf(glob: Glob, after: string | undefined, limit?: number): ScanOptions {
  return {
    prefix: glob.prefix,
    values: false,
    // The next key there could be, as bytes: as text it might be too long for a key.
    ...(after === undefined ? {} : { start: encoder.encode(`${after}\0`) }),
    ...(limit === undefined ? {} : { limit }),
  };
}

/** Whether a key with the prefix of the pattern matches all of it. */
function matcherOf(glob: Glob): (key: string) => boolean {
  if (glob.isPrefix) return () => true;
  let scratch = new Uint8Array(256);
  return (key) => {
    if (scratch.length < key.length * 3) scratch = new Uint8Array(key.length * 3);
    return glob.matches(scratch, encoder.encodeInto(key, scratch).written);
  };
}

/** The key by this name, if it exists. What cannot be a key does not. */
function existing({ service: { store } }: RespClient, name: Uint8Array): Uint8Array[] {
  try {
    return store.stat(name) === undefined ? [] : [name];
  } catch {
    return [];
  }
}

async function runKeys(client: RespClient, args: readonly Uint8Array[]): Promise<Reply> {
  const glob = new Glob(args[1]!);
  if (glob.isLiteral) return bulkArray(existing(client, glob.prefix));
  const match = matcherOf(glob);
  const keys = new EncodedBulks(client);
  try {
    for await (const { key } of client.service.store.scan(rangeOf(glob, undefined))) {
      if (client.isGone) return EMPTY_ARRAY;
      if (match(key)) keys.add(key);
    }
  } catch (error) {
    keys.letGo();
    throw error;
  }
  return keys.reply();
}

const keys: SweepCommand = {
  name: "keys",
  kind: "sweep",
  arity: 2,
  flags: ["readonly", "no_multi"],
  keys: KEYS.none,
  group: "generic",
  since: "1.0.0",
  summary: "Returns all keys that match a pattern.",
  run: runKeys,
};

const scan: SweepCommand = {
  name: "scan",
  kind: "sweep",
  arity: -2,
  flags: ["readonly", "no_multi"],
  keys: KEYS.none,
  group: "generic",
  since: "2.8.0",
  summary: "Goes through the keys, some with each call.",
  run: runScan,
};

const dbsize: SweepCommand = {
  name: "dbsize",
  kind: "sweep",
  arity: 1,
  flags: ["readonly", "fast", "no_multi"],
  keys: KEYS.none,
  group: "server",
  since: "1.0.0",
  summary: "Returns the number of keys.",
  run: ({ service }) => integer(service.store.size),
};

const randomkey: SweepCommand = {
  name: "randomkey",
  kind: "sweep",
  arity: 1,
  flags: ["readonly", "no_multi"],
  keys: KEYS.none,
  group: "generic",
  since: "1.0.0",
  summary: "Returns any key.",
  run: ({ service }) => bulk(service.store.randomKey()),
};

/** All commands that look at all keys. */
export const SWEEP_COMMANDS: readonly SweepCommand[] = [keys, scan, dbsize, randomkey];
