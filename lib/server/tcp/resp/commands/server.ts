/** `INFO` and `BGREWRITEAOF`. */

import { latin1 } from "../arguments.ts";
import { type ClientCommand, KEYS } from "../command.ts";
import { infoText } from "../info.ts";
import { RespError } from "../resp_error.ts";

const info: ClientCommand = {
  name: "info",
  kind: "client",
  arity: -1,
  flags: [],
  keys: KEYS.none,
  group: "server",
  since: "1.0.0",
  summary: "Tells about the server, in sections.",
  run({ service }, args) {
    const sections = args.slice(1).map((section) => latin1(section.subarray(0, 64)).toLowerCase());
    const text = infoText(service, sections);
    return (out) => out.verbatim(text);
  },
};

const bgrewriteaof: ClientCommand = {
  name: "bgrewriteaof",
  kind: "client",
  arity: 1,
  flags: ["admin", "no_multi"],
  keys: KEYS.none,
  group: "server",
  since: "1.0.0",
  summary: "Begins a compaction of the store.",
  run({ service }) {
    const { store } = service;
    if (store.stats().compacting) {
      throw new RespError("ERR Background append only file rewriting already in progress");
    }
    store.compact().catch((error) => service.onFailure("A compaction", error));
    return (out) => out.simple("Background append only file rewriting started");
  },
};

/** Commands about the server as a whole. */
export const SERVER_COMMANDS: readonly ClientCommand[] = [info, bgrewriteaof];
