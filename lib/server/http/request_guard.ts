/**
 * Who may talk to a service on this machine. Every web page that the user visits can send requests
 * to localhost, and by DNS rebinding under a name of its own: so the Host must be one of ours, and
 * a browser must not act for another origin.
 */

import { HttpError } from "./problem.ts";

const ANY_LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/** Throws unless the request is addressed to us, by us. */
export function guardRequest(request: Request, authorities: ReadonlySet<string> | undefined): void {
  const authority = request.headers.get("host") ?? authorityOf(request.url);
  if (!isOurs(authority, authorities)) {
    throw new HttpError(
      "MisdirectedRequest",
      "This service does not answer for that Host: use the address it was started with",
    );
  }
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${authority}`) throw foreign();
  // Simple requests, such as images, come without Origin; browsers still say where from.
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") throw foreign();
}

/** The Host values for a service on `hostname:port` of this machine. */
export function loopbackAuthorities(hostname: string, port: number): ReadonlySet<string> {
  const names = ["127.0.0.1", "localhost", "[::1]"];
  const own = hostname.includes(":") ? `[${hostname}]` : hostname;
  const all = [...new Set([...names, own])];
  // A client leaves the port out if it is the one http has anyway.
  return new Set(all.flatMap((name) => port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
}

function isOurs(authority: string, authorities: ReadonlySet<string> | undefined): boolean {
  if (authorities === undefined) return ANY_LOOPBACK.test(authority);
  return authorities.has(authority) || authorities.has(authority.toLowerCase());
}

function authorityOf(url: string): string {
  return /^https?:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
}

function foreign(): HttpError {
  return new HttpError("Forbidden", "Requests of other web pages are refused");
}
