/** Whether a server may be reached from elsewhere: only with a token and TLS, or on express demand. */

import { CliError } from "./cli_error.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { formatHostPort, type HostPort, isLoopback } from "./host_port.ts";

/** How a server is protected. */
export interface Protection {
  token: boolean;
  tls: boolean;
  insecure: boolean;
}

/**
 * Refuses an address that others can reach without what protects it. Returns what is missing though
 * `--insecure` allows it, for a warning.
 */
export function checkExposure(
  address: HostPort,
  { token, tls, insecure }: Protection,
): string | undefined {
  if (isLoopback(address.hostname)) return undefined;
  const missing = [
    ...(token ? [] : ["a token (--token-file or CAIRN_TOKEN)"]),
    ...(tls ? [] : ["TLS (--tls-cert and --tls-key)"]),
  ].join(" and ");
  if (missing === "") return undefined;
  if (insecure) return missing;
  throw new CliError(
    EXIT_CODE.usage,
    `${
      formatHostPort(address)
    } can be reached from other machines, which needs ${missing}: give what is ` +
      "missing, listen on 127.0.0.1, or take the risk with --insecure",
  );
}
