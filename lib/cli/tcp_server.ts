/** The TCP server of `cairn serve`. */

import { TCP_OUTPUT_BYTES_HELD_MAX } from "../limits.ts";
import type { KvStore } from "../mod.ts";
import type { AccessControl, TcpServer, Telemetry } from "../server/tcp/mod.ts";
import { buildInfo } from "./build_info.ts";
import { CliError } from "./cli_error.ts";
import { connectionLimit } from "./connection_limit.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { formatHostPort, type HostPort } from "./host_port.ts";
import type { LoadedTls } from "./serve_tls.ts";
import { systemReason } from "./system_reason.ts";

/** Options of {@link startTcpServer}. */
export interface TcpServerOptions extends HostPort {
  access: AccessControl | undefined;
  tls: LoadedTls | undefined;
  telemetry: Telemetry;
  /** Whether clients of Redis may delete everything at once. */
  allowFlush: boolean;
  /** Whether writes are acknowledged before they are durable. */
  isBatched: boolean;
  /** Commands that take so many milliseconds or longer are logged as slow. */
  slowRequestMs: number;
  /** Whether other threads listen on the same port. */
  isShared?: boolean;
}

/** A server that listens, and where. */
export interface StartedTcpServer {
  server: TcpServer;
  url: string;
  port: number;
}

/** Listens, or throws a CliError. */
export async function startTcpServer(
  store: KvStore,
  options: TcpServerOptions,
): Promise<StartedTcpServer> {
  // Loaded here, so that the other commands start without it.
  const tcp = await import("../server/tcp/mod.ts");
  const { hostname, port, access, allowFlush, tls, telemetry, slowRequestMs, isBatched } = options;
  const { isShared = false } = options;
  const connections = connectionLimit(tcp.descriptorsMaxOf, () => {});
  const server = tcp.createTcpServer(store, {
    telemetry,
    slowRequestMs,
    allowFlush,
    config: { appendfsync: isBatched ? "everysec" : "always" },
    version: buildInfo().version,
    ...(isShared && { limits: { outputBytesHeldMax: TCP_OUTPUT_BYTES_HELD_MAX / 2 } }),
    ...(access !== undefined && { access }),
    ...(connections !== undefined && { connections }),
  });
  const where = { hostname, port };
  try {
    // Not shared at first: else others of the same user could be listening on it already.
    if (isShared) {
      const { freePort } = await import("../server/tcp/threads/mod.ts");
      where.port = await freePort(where);
    }
    const bound = await server.listen({
      ...where,
      reusePort: isShared,
      ...(tls !== undefined && { tls: tls.tls }),
    });
    const scheme = tls === undefined ? "tcp" : "tls";
    const url = `${scheme}://${formatHostPort({ hostname, port: bound.port })}`;
    return { server, url, port: bound.port };
  } catch (error) {
    throw new CliError(
      EXIT_CODE.connection,
      `cannot listen on ${formatHostPort(where)}: ${
        systemReason(error)
      }; choose another with --tcp, or none with --no-tcp`,
      { cause: error },
    );
  }
}
