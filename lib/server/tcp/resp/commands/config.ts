/** `CONFIG`: what clients ask a Redis server about its settings. */

import { shown } from "../arguments.ts";
import { type ClientCommand, KEYS } from "../command.ts";
import { Glob } from "../glob.ts";
import { OK } from "../replies.ts";
import type { Reply } from "../reply.ts";
import type { RespClient } from "../resp_client.ts";
import { RespError } from "../resp_error.ts";
import { composed, type Subcommand } from "../subcommands.ts";

const encoder = new TextEncoder();

/** The settings that have a counterpart here, or that clients ask for. */
function settingsOf({ service }: RespClient): Map<string, string> {
  return new Map(Object.entries({
    appendfsync: "always",
    appendonly: "yes",
    databases: "1",
    maxclients: "0",
    maxmemory: "0",
    "maxmemory-policy": "noeviction",
    "notify-keyspace-events": "",
    "proto-max-bulk-len": String(service.limits.valueBytesMax),
    "replica-read-only": "yes",
    save: "",
    timeout: "0",
    ...service.config,
  }));
}

function runGet(client: RespClient, args: readonly Uint8Array[]): Reply {
  const patterns = args.slice(2).map((pattern) => new Glob(pattern, true));
  const found = [...settingsOf(client)].filter(([name]) => {
    const bytes = encoder.encode(name);
    return patterns.some((pattern) => pattern.matches(bytes));
  });
  return (out) => {
    out.map(found.length);
    for (const [name, value] of found) {
      out.bulk(name);
      out.bulk(value);
    }
  };
}

const SUBCOMMANDS: readonly Subcommand[] = [
  {
    name: "get",
    arity: -3,
    help: "GET <pattern> ...: settings by name",
    run: runGet,
  },
  {
    name: "set",
    arity: -4,
    help: "SET: not supported, options are given when the server starts",
    run(client, args) {
      const name = shown(args[2]!);
      if (!settingsOf(client).has(name.toLowerCase())) {
        throw new RespError(
          `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`,
        );
      }
      throw new RespError(
        `ERR CONFIG SET failed (possibly related to argument '${name}') - can't set immutable ` +
          "config: options are given when the server starts",
      );
    },
  },
  {
    name: "resetstat",
    arity: 2,
    help: "RESETSTAT: begins the counts of INFO anew",
    run({ service, access }) {
      if (access !== "full") throw new RespError("NOPERM this token allows reading only");
      service.resetCounts();
      return OK;
    },
  },
  {
    name: "rewrite",
    arity: 2,
    help: "REWRITE: not supported, there is no such file",
    run() {
      throw new RespError("ERR The server is running without a config file");
    },
  },
];

/** `CONFIG`. */
export const CONFIG_COMMAND: ClientCommand = {
  name: "config",
  kind: "client",
  arity: -2,
  flags: [],
  keys: KEYS.none,
  group: "server",
  since: "2.0.0",
  summary: "Tells settings of the server, which cannot be changed while it runs.",
  ...composed("config", SUBCOMMANDS),
};
