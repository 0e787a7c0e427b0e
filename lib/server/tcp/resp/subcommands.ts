/** Commands that are several: `CLIENT`, `COMMAND`, `CONFIG`. */

import { shown } from "./arguments.ts";
import { type ClientCommand, fitsArity } from "./command.ts";
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

/** A command that is these, by the second argument; `HELP` comes with it. */
export function composed(
  container: string,
  subcommands: readonly Subcommand[],
): Required<Pick<ClientCommand, "check" | "run">> {
  const help: Subcommand = {
    name: "help",
    arity: 2,
    help: "HELP: this text",
    run: () =>
      bulkArray([
        `${container.toUpperCase()} <subcommand> [<arg> ...]. Subcommands are:`,
        ...all.map((each) => each.help),
      ]),
  };
  const all = [...subcommands, help];
  return {
    check: (args) => void subcommandOf(container, all, args),
    run: (client, args) => subcommandOf(container, all, args).run(client, args),
  };
}

/** The one that the second argument names; throws if there is none, or it takes other arguments. */
function subcommandOf(
  container: string,
  all: readonly Subcommand[],
  args: readonly Uint8Array[],
): Subcommand {
  const given = shown(args[1]!);
  const name = given.toLowerCase();
  const found = all.find((each) => each.name === name);
  if (found === undefined) throw unknownSubcommand(given, container);
  if (!fitsArity(found, args.length)) throw new RespError(wrongArity(`${container}|${name}`));
  return found;
}
