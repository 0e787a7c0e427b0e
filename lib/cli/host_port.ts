/** The addresses that a server may be given. */

import { InvalidArgumentError } from "commander";

/** Where to listen. */
export interface HostPort {
  hostname: string;
  port: number;
}

/**
 * `127.0.0.1:8620`, `localhost:8620`, `[::1]:8620`; port 0 takes a free one. Only this machine's own
 * addresses: whoever can reach the port can read and change everything.
 */
export function parseLoopbackHostPort(text: string): HostPort {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]/]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) {
    throw new InvalidArgumentError("Give HOST:PORT, as in 127.0.0.1:8620 or [::1]:8620.");
  }
  const name = match[1].toLowerCase();
  if (name === "localhost") return { hostname: "127.0.0.1", port };
  if (name === "[::1]") return { hostname: "::1", port };
  if (/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)) return { hostname: name, port };
  throw new InvalidArgumentError(
    "Without tokens and TLS, which this version does not have, everybody who can reach the port " +
      "could read and change everything: use 127.0.0.1, localhost or [::1].",
  );
}
