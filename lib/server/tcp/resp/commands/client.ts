/** `CLIENT`: what the server knows of its clients. */

import { RESP_NAME_BYTES_MAX } from "../../../../limits.ts";
import { isWord, latin1, positionOf, shown } from "../arguments.ts";
import { type ClientCommand, KEYS } from "../command.ts";
import { bulk, integer, OK } from "../replies.ts";
import type { RespClient } from "../resp_client.ts";
import { RespError, syntaxError } from "../resp_error.ts";
import { composed, type Subcommand } from "../subcommands.ts";

/** Types of clients that others know; only the first one exists here. */
const CLIENT_TYPES = ["normal", "master", "replica", "slave", "pubsub"];

/** A name of visible ASCII characters; throws for another. */
export function checkedName(bytes: Uint8Array, what: string): string {
  if (bytes.length > RESP_NAME_BYTES_MAX) {
    throw new RespError(`ERR ${what} cannot be longer than ${RESP_NAME_BYTES_MAX} bytes.`);
  }
  if (bytes.some((byte) => byte < 0x21 || byte > 0x7e)) {
    throw new RespError(`ERR ${what} cannot contain spaces, newlines or special characters.`);
  }
  return latin1(bytes);
}

/** A client as a line of `name=value` pairs. */
function describe(client: RespClient): string {
  const { connection, service, lastCommand } = client;
  const now = service.clock.now();
  const age = Math.max(0, Math.floor((now - client.connectedAt) / 1000));
  const idle = Math.max(0, Math.floor((now - client.activeAt) / 1000));
  const flags = client.queuedCommands >= 0 ? "x" : "N";
  return `id=${connection.id} addr=${connection.remoteAddress} laddr=${connection.localAddress} ` +
    `fd=-1 name=${client.name} age=${age} idle=${idle} flags=${flags} db=0 sub=0 psub=0 ssub=0 ` +
    `multi=${client.queuedCommands} cmd=${lastCommand?.name ?? "NULL"} user=default redir=-1 ` +
    `resp=${client.protocol} lib-name=${client.libraryName} lib-ver=${client.libraryVersion}\n`;
}

function listed({ service: { clients } }: RespClient, args: readonly Uint8Array[]): RespClient[] {
  const all = [...clients.values()];
  if (args.length === 2) return all;
  const [, , filter, ...values] = args as [Uint8Array, Uint8Array, Uint8Array, ...Uint8Array[]];
  if (isWord(filter, "type") && values.length === 1) {
    const type = shown(values[0]!);
    if (!CLIENT_TYPES.includes(type.toLowerCase())) {
      throw new RespError(`ERR Unknown client type '${type}'`);
    }
    return type.toLowerCase() === "normal" ? all : [];
  }
  if (isWord(filter, "id") && values.length > 0) {
    const ids = values.map((value) => {
      try {
        return positionOf(value);
      } catch {
        throw new RespError("ERR Invalid client ID");
      }
    });
    return ids.flatMap((id) => clients.get(id) ?? []);
  }
  throw syntaxError();
}

/** For options that change nothing here. */
function acceptOnOff(name: string, help: string): Subcommand {
  return {
    name,
    arity: 3,
    help,
    run(_client, args) {
      if (!isWord(args[2]!, "on") && !isWord(args[2]!, "off")) throw syntaxError();
      return OK;
    },
  };
}

const SUBCOMMANDS: readonly Subcommand[] = [
  {
    name: "id",
    arity: 2,
    help: "ID: the number of this connection",
    run: ({ connection }) => integer(connection.id),
  },
  {
    name: "getname",
    arity: 2,
    help: "GETNAME: the name of this connection",
    run: ({ name }) => bulk(name === "" ? undefined : name),
  },
  {
    name: "setname",
    arity: 3,
    help: "SETNAME <name>: names this connection",
    run(client, args) {
      client.name = checkedName(args[2]!, "Client names");
      return OK;
    },
  },
  {
    name: "setinfo",
    arity: 4,
    help: "SETINFO LIB-NAME|LIB-VER <value>: says which library this client uses",
    run(client, args) {
      const [, , option, value] = args as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
      if (isWord(option, "lib-name")) client.libraryName = checkedName(value, "lib-name");
      else if (isWord(option, "lib-ver")) client.libraryVersion = checkedName(value, "lib-ver");
      else throw new RespError(`ERR Unrecognized option '${shown(option)}'`);
      return OK;
    },
  },
  {
    name: "info",
    arity: 2,
    help: "INFO: what the server knows of this connection",
    run(client) {
      const line = describe(client);
      return (out) => out.verbatim(line);
    },
  },
  {
    name: "list",
    arity: -2,
    help: "LIST [TYPE NORMAL|...] [ID <id> ...]: what the server knows of its connections",
    run(client, args) {
      const lines = listed(client, args).map(describe).join("");
      return (out) => out.verbatim(lines);
    },
  },
  acceptOnOff("no-evict", "NO-EVICT ON|OFF: accepted; no client is ever evicted"),
  acceptOnOff("no-touch", "NO-TOUCH ON|OFF: accepted; nothing is noted of accesses"),
  {
    name: "reply",
    arity: 3,
    help: "REPLY ON: accepted; every command has its reply",
    run(_client, args) {
      if (isWord(args[2]!, "on")) return OK;
      if (isWord(args[2]!, "off") || isWord(args[2]!, "skip")) {
        throw new RespError("ERR CLIENT REPLY OFF and SKIP are not supported");
      }
      throw syntaxError();
    },
  },
];

/** `CLIENT`. */
export const CLIENT_COMMAND: ClientCommand = {
  name: "client",
  kind: "client",
  arity: -2,
  flags: [],
  keys: KEYS.none,
  group: "connection",
  since: "2.4.0",
  summary: "Names this connection, and tells of connections.",
  ...composed("client", SUBCOMMANDS),
};
