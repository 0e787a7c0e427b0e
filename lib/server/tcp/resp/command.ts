/** What a command is: what it is called, what it takes, and what runs it. */

import type { Keyspace } from "./keyspace.ts";
import type { Reply } from "./reply.ts";
import type { RespClient } from "./resp_client.ts";
import type { RespService } from "./resp_service.ts";
import type { RespStore } from "./resp_store.ts";

/** Properties of a command, as `COMMAND INFO` names them. */
export type CommandFlag =
  | "admin"
  | "fast"
  | "no_auth"
  | "no_multi"
  | "readonly"
  | "write";

/** What is to be known of a command without running it. */
export interface CommandInfo {
  /** In lower case. */
  readonly name: string;
  /** Number of arguments, the name included; negative for a minimum. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** First key, last key (negative from the end) and step among the arguments; 0 if there is none. */
  readonly keys: readonly [first: number, last: number, step: number];
  readonly group: "connection" | "generic" | "server" | "string" | "transactions";
  /** Version of Redis that had it first. */
  readonly since: string;
  /** What it does, in one sentence. */
  readonly summary: string;
}

/** Reads or changes keys, and does nothing else: it may be part of a transaction. */
export interface DataCommand extends CommandInfo {
  readonly kind: "data";
  /** Throws `RespError` to answer with an error; what it has changed is taken back then. */
  run(keys: Keyspace, args: readonly Uint8Array[]): Reply;
  /**
   * A shorter way for a write that stands alone and looks at nothing before; undefined if these
   * arguments do not allow it.
   */
  write?(
    store: RespStore,
    args: readonly Uint8Array[],
    service: RespService,
  ): Promise<Reply> | undefined;
  /** Whether it reads values as a whole, which may be long. */
  readonly readsValues?: boolean;
}

/** Has to do with the connection or the server, not with keys. */
export interface ClientCommand extends CommandInfo {
  readonly kind: "client";
  /** Throws `RespError` for arguments that a transaction is to refuse when it is given them. */
  check?(args: readonly Uint8Array[]): void;
  run(client: RespClient, args: readonly Uint8Array[]): Reply;
}

/** Has to do with all keys: it sees what was written before it, and what comes behind it waits. */
export interface SweepCommand extends CommandInfo {
  readonly kind: "sweep";
  /** The arguments hold until it is done. */
  run(client: RespClient, args: readonly Uint8Array[]): Reply | Promise<Reply>;
}

/** Begins, ends or guards a transaction; the session runs it. */
export interface TransactionCommand extends CommandInfo {
  readonly kind: "transaction";
  readonly step: "multi" | "exec" | "discard" | "watch" | "unwatch";
}

/** One command. */
export type Command = DataCommand | ClientCommand | SweepCommand | TransactionCommand;

const NO_KEYS: CommandInfo["keys"] = [0, 0, 0];
const ONE_KEY: CommandInfo["keys"] = [1, 1, 1];

/** Places of keys among arguments. */
export const KEYS = {
  none: NO_KEYS,
  one: ONE_KEY,
  all: [1, -1, 1],
  pairs: [1, -1, 2],
  two: [1, 2, 1],
} as const satisfies Record<string, CommandInfo["keys"]>;

/** Whether so many arguments, the name included, fit the command. */
export function fitsArity({ arity }: Pick<CommandInfo, "arity">, count: number): boolean {
  return arity < 0 ? count >= -arity : count === arity;
}

/** The keys among the arguments. */
export function keysOf(
  { keys: [first, last, step] }: CommandInfo,
  args: readonly Uint8Array[],
): Uint8Array[] {
  const found: Uint8Array[] = [];
  if (first === 0) return found;
  const end = last < 0 ? args.length + last : last;
  for (let at = first; at <= end && at < args.length; at += step) found.push(args[at]!);
  return found;
}
