/** Commands that are several: `CLIENT`, `COMMAND`, `CONFIG`. */

import { latin1 } from "./arguments.ts";
import { bulkArray } from "./replies.ts";
import type { Reply } from "./reply.ts";
import type { RespClient } from "./resp_client.ts";
import { RespError, unknownSubcommand, wrongArity } from "./resp_error.ts";

/** One part of a command that is several. */
export interface Subcommand {
  /** In lower case. */
  readonly name: string;
  /** Number of arguments, both names included; negative for a minimum. */
  readonly arity: number;
  /** What it takes and does, for `HELP`. */
  readonly help: string;
  run(client: RespClient, args: readonly Uint8Array[]): Reply;
}

/** Runs the subcommand that the second argument names. */
export function runSubcommand(
  container: string,
  subcommands: readonly Subcommand[],
  client: RespClient,
  args: readonly Uint8Array[],
): Reply {
  const given = latin1(args[1]!.subarray(0, 128));
  const name = given.toLowerCase();
  if (name === "help" && args.length === 2) return helpOf(container, subcommands);
  const found = subcommands.find((each) => each.name === name);
  if (found === undefined) throw unknownSubcommand(given, container);
  const { arity } = found;
  if (arity < 0 ? args.length < -arity : args.length !== arity) {
    throw new RespError(wrongArity(`${container}|${name}`));
  }
  return found.run(client, args);
}

function helpOf(container: string, subcommands: readonly Subcommand[]): Reply {
  return bulkArray([
    `${container.toUpperCase()} <subcommand> [<arg> ...]. Subcommands are:`,
    ...subcommands.map(({ help }) => help),
    "HELP: this text",
  ]);
}
