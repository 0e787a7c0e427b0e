/** What `cairn serve` does at SIGHUP: reads the files of tokens, certificate and key again. */

import { getLogger } from "@logtape/logtape";
import { systemClock } from "../clock.ts";
import type { AccessControl, TlsFiles, Tokens } from "../server/http/mod.ts";
import type { LoadedTls } from "./serve_tls.ts";

const EXPIRY_WARNING_MS = 14 * 86_400_000;

/** What is to be renewed, and from where. */
export interface Renewal {
  access: AccessControl | undefined;
  /** What takes another certificate. */
  servers: readonly { renew(tls: TlsFiles): void }[];
  /** Those that take both. */
  threads: { renew(tokens: Tokens | undefined, tls: TlsFiles | undefined): void } | undefined;
  loadTokens(): Promise<Tokens | undefined>;
  loadTls(): Promise<LoadedTls | undefined>;
}

/** Takes what is found now; keeps what there is of what cannot be used. */
export async function renew(
  { access, servers, threads, loadTokens, loadTls }: Renewal,
): Promise<void> {
  const logger = serverLogger();
  try {
    const tokens = await loadTokens();
    if (tokens !== undefined) access?.replace(tokens);
    const tls = await loadTls();
    if (tls !== undefined) {
      for (const server of servers) server.renew(tls.tls);
      warnOfExpiry(tls);
    }
    threads?.renew(tokens, tls?.tls);
    logger.info("Read the files of tokens and certificate again", {});
  } catch (error) {
    logger.error("Cannot use the files of tokens and certificate, so the old stay: {error}", {
      error,
    });
  }
}

/** Says so if a certificate is of no use, or will soon be. */
export function warnOfExpiry({ validFrom, validUntil }: LoadedTls): void {
  const now = systemClock.now();
  const until = new Date(validUntil).toISOString();
  const logger = serverLogger();
  if (validUntil <= now) logger.warn("The TLS certificate has expired at {until}", { until });
  else if (validFrom > now) logger.warn("The TLS certificate is not valid yet", {});
  else if (validUntil - now < EXPIRY_WARNING_MS) {
    logger.warn("The TLS certificate expires at {until}", { until });
  }
}

function serverLogger() {
  return getLogger(["cairn"]);
}
