/** The addresses that a server may be given. */

import { InvalidArgumentError } from "commander";

/** Where `cairn serve` listens for HTTP when nothing says otherwise. */
export const HTTP_ADDRESS_DEFAULT = "127.0.0.1:8620";
/** The same for TCP. */
export const TCP_ADDRESS_DEFAULT = "127.0.0.1:8621";

/** Where to listen. */
export interface HostPort {
  hostname: string;
  port: number;
}

/**
 * `127.0.0.1:8620`, `localhost:8620`, `[::1]:8620`, `0.0.0.0:8620`; port 0 takes a free one.
 * `localhost` is 127.0.0.1, so that it is one address whatever the machine's table of names says.
 */
export function parseHostPort(text: string): HostPort {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]/@]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) {
    throw new InvalidArgumentError("Give HOST:PORT, as in 127.0.0.1:8620 or [::1]:8620.");
  }
  const name = match[1].toLowerCase();
  if (name === "localhost") return { hostname: "127.0.0.1", port };
  return { hostname: name.replace(/^\[|\]$/g, ""), port };
}

/** A name, or name and port, under which clients reach a server: `kv.example`, `kv.example:8443`. */
export function parseHostName(text: string): string {
  if (!/^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[\w.-]*[a-z0-9])?)(?::\d{1,5})?$/i.test(text)) {
    throw new InvalidArgumentError("Give a name as in kv.example or kv.example:8443.");
  }
  return text.toLowerCase();
}

/** Whether only this machine can reach an address. */
export function isLoopback(hostname: string): boolean {
  return hostname === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}

/** Whether an address stands for all that the machine has. */
export function isUnspecified(hostname: string): boolean {
  return hostname === "0.0.0.0" || /^(?:0*:)+:?0*$/.test(hostname);
}

/** As {@link parseHostPort} takes it. */
export function formatHostPort({ hostname, port }: HostPort): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
