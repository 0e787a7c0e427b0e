/** What clients say about themselves: `HELLO`, `AUTH`, `PING` and their kin. */

import { isWord, latin1, shown, toInteger } from "../arguments.ts";
import { type ClientCommand, KEYS } from "../command.ts";
import { REDIS_VERSION } from "../compatibility.ts";
import { bulk, OK } from "../replies.ts";
import type { Reply } from "../reply.ts";
import type { RespClient } from "../resp_client.ts";
import { notAnInteger, RespError, syntaxError, wrongArity } from "../resp_error.ts";
import { checkedName } from "./client.ts";

const USER = "default";
const WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
const TOO_MANY_PASSWORDS = "WRONGPASS too many wrong passwords from this address: try again later";
const NOT_AUTHENTICATED =
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO " +
  "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP " +
  "protocol version at the same time";

/** Lets a client in, or throws. */
function authenticate(client: RespClient, user: Uint8Array, password: Uint8Array): void {
  const { access } = client.service;
  const isUser = latin1(user) === USER;
  // Without a password of its own, the user is let in with any.
  if (access === undefined) {
    if (isUser) return;
    throw new RespError(WRONG_PASSWORD);
  }
  const allowed = isUser ? access.accessOf(password) : undefined;
  if (allowed === undefined) {
    const isRefused = access.failed(client.host) > 0;
    throw new RespError(isRefused ? TOO_MANY_PASSWORDS : WRONG_PASSWORD);
  }
  client.access = allowed;
}

function runAuth(client: RespClient, args: readonly Uint8Array[]): Reply {
  if (args.length > 3) throw syntaxError();
  if (args.length === 3) authenticate(client, args[1]!, args[2]!);
  else if (client.service.access !== undefined) {
    authenticate(client, new TextEncoder().encode(USER), args[1]!);
  } else {
    throw new RespError(
      "ERR AUTH <password> called without any password configured for the default user. Are you " +
        "sure your configuration is correct?",
    );
  }
  return OK;
}

function runHello(client: RespClient, args: readonly Uint8Array[]): Reply {
  let protocol: number | bigint | undefined = client.protocol;
  let name: string | undefined;
  let credentials: { user: Uint8Array; password: Uint8Array } | undefined;
  if (args.length > 1) {
    protocol = toInteger(args[1]!);
    if (protocol === undefined) {
      throw new RespError("ERR Protocol version is not an integer or out of range");
    }
    if (protocol !== 2 && protocol !== 3) {
      throw new RespError("NOPROTO unsupported protocol version");
    }
  }
  for (let at = 2; at < args.length; at++) {
    const word = args[at]!;
    if (isWord(word, "auth") && at + 2 < args.length) {
      credentials = { user: args[at + 1]!, password: args[at + 2]! };
      at += 2;
    } else if (isWord(word, "setname") && at + 1 < args.length) {
      name = checkedName(args[at + 1]!, "Client names");
      at++;
    } else {
      throw new RespError(
        `ERR Syntax error in HELLO option '${shown(word)}'`,
      );
    }
  }
  if (credentials !== undefined) authenticate(client, credentials.user, credentials.password);
  if (client.access === "none") throw new RespError(NOT_AUTHENTICATED);
  if (name !== undefined) client.name = name;
  client.protocol = protocol as 2 | 3;
  return greeting(client);
}

/** What the server is. Clients look for these names. */
function greeting({ protocol, connection: { id } }: RespClient): Reply {
  return (out) => {
    out.map(7);
    out.bulk("server");
    out.bulk("redis");
    out.bulk("version");
    out.bulk(REDIS_VERSION);
    out.bulk("proto");
    out.integer(protocol);
    out.bulk("id");
    out.integer(id);
    out.bulk("mode");
    out.bulk("standalone");
    out.bulk("role");
    out.bulk("master");
    out.bulk("modules");
    out.array(0);
  };
}

const ping: ClientCommand = {
  name: "ping",
  kind: "client",
  arity: -1,
  flags: ["fast"],
  keys: KEYS.none,
  group: "connection",
  since: "1.0.0",
  summary: "Answers PONG, or what it is given.",
  run(_client, args) {
    if (args.length > 2) throw new RespError(wrongArity("ping"));
    return args.length === 1 ? (out) => out.simple("PONG") : bulk(new Uint8Array(args[1]!));
  },
};

const echo: ClientCommand = {
  name: "echo",
  kind: "client",
  arity: 2,
  flags: ["fast"],
  keys: KEYS.none,
  group: "connection",
  since: "1.0.0",
  summary: "Answers what it is given.",
  run: (_client, [, message]) => bulk(new Uint8Array(message!)),
};

const hello: ClientCommand = {
  name: "hello",
  kind: "client",
  arity: -1,
  flags: ["fast", "no_auth", "no_multi"],
  keys: KEYS.none,
  group: "connection",
  since: "6.0.0",
  summary: "Chooses version 2 or 3 of the protocol, and may authenticate and name the client.",
  run: runHello,
};

const auth: ClientCommand = {
  name: "auth",
  kind: "client",
  arity: -2,
  flags: ["fast", "no_auth", "no_multi"],
  keys: KEYS.none,
  group: "connection",
  since: "1.0.0",
  summary: "Gives the password, which is a token of the server.",
  run: runAuth,
};

const select: ClientCommand = {
  name: "select",
  kind: "client",
  arity: 2,
  flags: ["fast"],
  keys: KEYS.none,
  group: "connection",
  since: "1.0.0",
  summary: "Selects a database; there is only number 0.",
  run(_client, [, index]) {
    const number = toInteger(index!);
    if (number === undefined) throw notAnInteger();
    if (number !== 0) throw new RespError("ERR DB index is out of range");
    return OK;
  },
};

const quit: ClientCommand = {
  name: "quit",
  kind: "client",
  arity: -1,
  flags: ["fast", "no_auth"],
  keys: KEYS.none,
  group: "connection",
  since: "1.0.0",
  summary: "Closes the connection.",
  run(client) {
    client.isClosing = true;
    return OK;
  },
};

/** All commands about a connection, but for `CLIENT`. */
export const CONNECTION_COMMANDS: readonly ClientCommand[] = [
  ping,
  echo,
  hello,
  auth,
  select,
  quit,
];
