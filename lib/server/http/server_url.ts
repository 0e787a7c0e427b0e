import type { ListenOptions } from "./listen.ts";

/** Where a server is reached. */
export function urlOf({ hostname, tls }: ListenOptions, port: number): string {
  const scheme = tls === undefined ? "http" : "https";
  return `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
