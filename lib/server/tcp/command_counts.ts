/** Commands, counted by name and by what came of them; whatever clients make up is `other`. */

import type { Sample } from "../telemetry/metric_set.ts";

/** Names of commands that are counted by name. */
const NAMES = (
  "ping echo hello auth select quit client command config info dbsize reset " +
  "get set setnx setex psetex getset getdel getex mget mset msetnx append strlen getrange substr " +
  "setrange incr decr incrby decrby incrbyfloat " +
  "del unlink exists type touch keys scan randomkey rename renamenx " +
  "expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist " +
  "flushdb flushall multi exec discard watch unwatch bgrewriteaof"
).split(" ");
const OTHER = "other";
/** What can come of a command. */
export const COMMAND_RESULTS = ["ok", "not_found", "error"] as const;
/** One of {@link COMMAND_RESULTS}. */
export type CommandResult = typeof COMMAND_RESULTS[number];

/** The protocols of a connection, as labels. */
export const PROTOCOLS = ["text", "resp"] as const;
const RESULTS_COUNT = COMMAND_RESULTS.length;
const LENGTH_MAX = Math.max(...NAMES.map(({ length }) => length));

/** By a hash of the name in lower case: its place, of the few that are. */
const PLACES = new Map<number, number>(
  NAMES.map((name, place) => [hashOf(new TextEncoder().encode(name)), place]),
);

/** A number for a command of RESP, by the first of its arguments. */
export function respCommand(name: Uint8Array): number {
  const other = NAMES.length;
  const place = name.length > LENGTH_MAX ? undefined : PLACES.get(hashOf(name));
  return other + 1 + (place !== undefined && isName(NAMES[place]!, name) ? place : other);
}

/** Places of the commands of the text protocol. */
const TEXT_PLACES = new Map(
  ["GET", "SET", "DEL", "AUTH"].map((name) => [name, NAMES.indexOf(name.toLowerCase())]),
);

/** A number for a command of the text protocol. */
export function textCommand(name: string): number {
  return TEXT_PLACES.get(name) ?? NAMES.length;
}

/** The name behind such a number. */
export function commandName(command: number): string {
  return NAMES[command % (NAMES.length + 1)] ?? OTHER;
}

const ALWAYS_SHOWN = new Set(["GET", "SET", "DEL"].map(textCommand));

/** Counts them. */
export class CommandCounts {
  readonly #counts = new Float64Array(2 * (NAMES.length + 1) * RESULTS_COUNT);

  /** Counts one, or several. */
  add(command: number, result: CommandResult, count = 1): void {
    this.#counts[command * RESULTS_COUNT + COMMAND_RESULTS.indexOf(result)]! += count;
  }

  /** What has occurred; the commands of the text protocol are there in any case. */
  *samples(): Iterable<Sample> {
    for (const [cell, value] of this.#counts.entries()) {
      if (value === 0 && !ALWAYS_SHOWN.has(Math.floor(cell / RESULTS_COUNT))) continue;
      const number = Math.floor(cell / RESULTS_COUNT);
      const protocol = PROTOCOLS[Math.floor(number / (NAMES.length + 1))]!;
      const result = COMMAND_RESULTS[cell % RESULTS_COUNT]!;
      yield { labels: { protocol, command: commandName(number), result }, value };
    }
  }
}

/** FNV-1a of the name in lower case. */
function hashOf(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ (name[at]! | 0x20), 0x01000193);
  }
  return hash;
}

function isName(name: string, bytes: Uint8Array): boolean {
  if (name.length !== bytes.length) return false;
  for (let at = 0; at < bytes.length; at++) {
    if (name.charCodeAt(at) !== (bytes[at]! | 0x20)) return false;
  }
  return true;
}
