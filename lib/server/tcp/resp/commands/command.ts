/** `COMMAND`: the table of commands, for clients that want to know which there are. */

import { latin1 } from "../arguments.ts";
import { type ClientCommand, type Command, fitsArity, KEYS, keysOf } from "../command.ts";
import type { CommandTable } from "../command_lookup.ts";
import { Glob } from "../glob.ts";
import { bulkArray, integer } from "../replies.ts";
import type { Reply, ReplyEncoder } from "../reply.ts";
import { RespError, syntaxError } from "../resp_error.ts";
import { copied } from "../transaction.ts";
import { composed, type Subcommand } from "../subcommands.ts";

/** Flags that others need not know of. */
const SHOWN_FLAGS = ["admin", "fast", "no_auth", "readonly", "write"] as const;
const CATEGORY_BY_GROUP = {
  connection: "@connection",
  generic: "@keyspace",
  server: "@server",
  string: "@string",
  transactions: "@transaction",
} as const;

function writeInfo(out: ReplyEncoder, command: Command): void {
  const { name, arity, flags, keys } = command;
  const shown = SHOWN_FLAGS.filter((flag) => flags.includes(flag));
  const categories = categoriesOf(command);
  out.array(10);
  out.bulk(name);
  out.integer(arity);
  out.set(shown.length);
  for (const flag of shown) out.simple(flag);
  for (const place of keys) out.integer(place);
  out.set(categories.length);
  for (const category of categories) out.simple(category);
  // Hints, key specifications and subcommands, of which there is nothing to say.
  out.set(0);
  out.set(0);
  out.set(0);
}

function categoriesOf({ flags, group }: Command): string[] {
  return [
    ...(flags.includes("write") ? ["@write"] : []),
    ...(flags.includes("readonly") ? ["@read"] : []),
    ...(flags.includes("admin") ? ["@admin", "@dangerous"] : []),
    CATEGORY_BY_GROUP[group],
    flags.includes("fast") ? "@fast" : "@slow",
  ];
}

function infoReply(commands: readonly (Command | undefined)[]): Reply {
  return (out) => {
    out.array(commands.length);
    for (const command of commands) {
      if (command === undefined) out.nullBulk();
      else writeInfo(out, command);
    }
  };
}

function docsReply(commands: readonly Command[]): Reply {
  return (out) => {
    out.map(commands.length);
    for (const { name, summary, since, group } of commands) {
      out.bulk(name);
      out.map(3);
      out.bulk("summary");
      out.bulk(summary);
      out.bulk("since");
      out.bulk(since);
      out.bulk("group");
      out.bulk(group);
    }
  };
}

function named(table: CommandTable, args: readonly Uint8Array[]): (Command | undefined)[] {
  return args.slice(2).map((name) => table.find(name));
}

function listNames(table: CommandTable, args: readonly Uint8Array[]): string[] {
  const names = table.all.map(({ name }) => name);
  if (args.length === 2) return names;
  const [filterby, kind, value] = args.slice(2).map((word) => latin1(word.subarray(0, 64)));
  if (args.length !== 5 || filterby!.toLowerCase() !== "filterby") throw syntaxError();
  switch (kind!.toLowerCase()) {
    case "pattern": {
      const glob = new Glob(args[4]!, true);
      return names.filter((name) => glob.matches(new TextEncoder().encode(name)));
    }
    case "aclcat":
      return table.all.filter((command) =>
        categoriesOf(command).includes(`@${value!.toLowerCase()}`)
      ).map(({ name }) => name);
    case "module":
      return [];
    default:
      throw syntaxError();
  }
}

function keysReply(table: CommandTable, args: readonly Uint8Array[]): Reply {
  const command = table.find(args[2]!);
  if (command === undefined) throw new RespError("ERR Invalid command specified");
  if (command.keys[0] === 0) throw new RespError("ERR The command has no key arguments");
  const given = args.slice(2);
  if (!fitsArity(command, given.length)) {
    throw new RespError("ERR Invalid number of arguments specified for command");
  }
  return bulkArray(copied(keysOf(command, given)));
}

const SUBCOMMANDS: readonly Subcommand[] = [
  {
    name: "count",
    arity: 2,
    help: "COUNT: how many commands there are",
    run: ({ service }) => integer(service.commands.all.length),
  },
  {
    name: "docs",
    arity: -2,
    help: "DOCS [<name> ...]: what commands do",
    run({ service: { commands } }, args) {
      if (args.length === 2) return docsReply(commands.all);
      return docsReply(named(commands, args).filter((command) => command !== undefined));
    },
  },
  {
    name: "info",
    arity: -2,
    help: "INFO [<name> ...]: what commands take",
    run: ({ service: { commands } }, args) =>
      infoReply(args.length === 2 ? commands.all : named(commands, args)),
  },
  {
    name: "list",
    arity: -2,
    help: "LIST [FILTERBY PATTERN <pattern> | ACLCAT <category>]: names of commands",
    run: ({ service }, args) => bulkArray(listNames(service.commands, args)),
  },
  {
    name: "getkeys",
    arity: -4,
    help: "GETKEYS <command> ...: the keys among the arguments of a command",
    run: ({ service }, args) => keysReply(service.commands, args),
  },
];

const SEVERAL = composed("command", SUBCOMMANDS);

/** `COMMAND`. */
export const COMMAND_COMMAND: ClientCommand = {
  name: "command",
  kind: "client",
  arity: -1,
  flags: [],
  keys: KEYS.none,
  group: "server",
  since: "2.8.13",
  summary: "Tells about commands.",
  check(args) {
    if (args.length > 1) SEVERAL.check(args);
  },
  run(client, args) {
    if (args.length > 1) return SEVERAL.run(client, args);
    return infoReply(client.service.commands.all);
  },
};
