/**
 * Who may talk to a service on this machine. Every web page that the user visits can send requests
 * to localhost, and by DNS rebinding under a name of its own: so the Host must be one of ours, and
 * a browser must not act for another origin.
 */

import { HttpError } from "./problem.ts";

/** Under which names a service is reached. */
export interface HostRules {
  /**
   * Host header values to answer to, as `name:port` in lower case (default: `localhost`, `127.0.0.1`
   * and `[::1]` with any port). Other Hosts get 421, which keeps web pages out that point a name at
   * this machine.
   */
  authorities?: ReadonlySet<string>;
  /** Those of {@link authorities} that browsers may reach through a proxy that speaks HTTPS. */
  proxied?: ReadonlySet<string>;
  /**
   * Answers under every IP address, if with this port. No page can come under an address that is not
   * its server's, as it can under a name.
   */
  addressPort?: number;
  /** Whether this service speaks HTTPS itself. */
  secure?: boolean;
}

/** Throws unless a request is addressed to us, by us. */
export type RequestGuard = (request: Request) => void;

const ANY_LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;
const ANY_ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i;

/** Makes the guard of a service; it costs a look into a set and three at the headers. */
export function createGuard(rules: HostRules): RequestGuard {
  const { authorities, proxied, addressPort, secure = false } = rules;
  const scheme = secure ? "https://" : "http://";
  const portDefault = secure ? 443 : 80;

  const isOurs = (authority: string): boolean => {
    if (authorities === undefined) return ANY_LOOPBACK.test(authority);
    if (authorities.has(authority) || authorities.has(authority.toLowerCase())) return true;
    const address = addressPort === undefined ? null : ANY_ADDRESS.exec(authority);
    return address !== null && Number(address[1] ?? portDefault) === addressPort;
  };
  const isOwnOrigin = (origin: string, authority: string): boolean =>
    origin === scheme + authority ||
    (proxied?.has(authority) === true && origin === `https://${authority}`);

  return ({ headers, url }) => {
    // Runtimes join repeated Host headers with a comma, which no name of ours contains.
    const authority = headers.get("host") ?? authorityOf(url);
    if (!isOurs(authority)) {
      throw new HttpError(
        "MisdirectedRequest",
        "This service does not answer for that Host: use the address it was started with",
        {},
        { field: "Host" },
      );
    }
    const origin = headers.get("origin");
    if (origin !== null && !isOwnOrigin(origin, authority)) throw foreign("Origin");
    // Simple requests, such as images, come without Origin; browsers still say where from.
    const site = headers.get("sec-fetch-site");
    if (site !== null && site !== "same-origin" && site !== "none") {
      throw foreign("Sec-Fetch-Site");
    }
  };
}

/**
 * The Host values for a service on `hostname:port` of this machine.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 * import { createApp, loopbackAuthorities } from "@cairn/kv/http";
 *
 * await using store = await KvStore.open("./data");
 * const app = createApp(store, { authorities: loopbackAuthorities("127.0.0.1", 8620) });
 * console.log((await app.request("http://localhost:8620/readyz")).status); // 200
 * console.log((await app.request("http://rebound.example:8620/readyz")).status); // 421
 * ```
 */
export function loopbackAuthorities(
  hostname: string,
  port: number,
  secure = false,
): ReadonlySet<string> {
  const names = ["127.0.0.1", "localhost", "[::1]"];
  const own = hostname.includes(":") ? `[${hostname}]` : hostname;
  return new Set([...names, own].flatMap((name) => authoritiesOf(name, port, secure)));
}

/**
 * What clients send as Host for a name and a port.
 *
 * @example
 * ```ts
 * import { authoritiesOf } from "@cairn/kv/http";
 *
 * console.log(authoritiesOf("KV.example", 8620).join(" ")); // kv.example:8620
 * console.log(authoritiesOf("KV.example", 443, true).join(" ")); // kv.example kv.example:443
 * ```
 */
export function authoritiesOf(name: string, port: number, secure = false): string[] {
  const full = `${name.toLowerCase()}:${port}`;
  // A client leaves the port out if it is the one that the scheme has anyway.
  return port === (secure ? 443 : 80) ? [name.toLowerCase(), full] : [full];
}

function authorityOf(url: string): string {
  return /^https?:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
}

function foreign(field: string): HttpError {
  return new HttpError("Forbidden", "Requests of other web pages are refused", {}, { field });
}
