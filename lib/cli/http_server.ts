/** The HTTP server of `cairn serve`: its application, who may use it, and under which names. */

import { getLogger } from "@logtape/logtape";
import type { KvStore } from "../mod.ts";
import type {
  AccessControl,
  ChangeFeeds,
  Handler,
  HostRules,
  Listener,
  Telemetry,
  TlsFiles,
} from "../server/http/mod.ts";
import type { RequestCount } from "../server/http/threads/mod.ts";
import { CliError } from "./cli_error.ts";
import { connectionLimit } from "./connection_limit.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { formatHostPort, type HostPort, isLoopback, isUnspecified } from "./host_port.ts";
import type { LoadedTls } from "./serve_tls.ts";
import { systemReason } from "./system_reason.ts";

/** Options of {@link HttpServer.start}. */
export interface HttpServerOptions extends HostPort {
  /** Further names, with or without a port. */
  hostNames: readonly string[];
  access: AccessControl | undefined;
  tls: LoadedTls | undefined;
  telemetry: Telemetry;
  /** Requests that take so many milliseconds or longer are logged as slow. */
  slowRequestMs: number;
  /** Counts the requests of all threads, where there are several that listen. */
  count?: RequestCount | undefined;
}

type Http = typeof import("../server/http/mod.ts");

/** A server that listens. */
export class HttpServer {
  /** Where it is reached. */
  readonly url: string;
  readonly port: number;
  /** Answers requests that others have received. */
  readonly answer: Handler;
  readonly #listener: Listener;
  readonly #changeFeeds: ChangeFeeds;

  private constructor(listener: Listener, answer: Handler, changeFeeds: ChangeFeeds) {
    this.#listener = listener;
    this.#changeFeeds = changeFeeds;
    this.answer = answer;
    this.url = listener.url;
    this.port = listener.port;
  }

  /** Listens, or throws a CliError. */
  static async start(store: KvStore, options: HttpServerOptions): Promise<HttpServer> {
    // Loaded here, so that the other commands start without it.
    const http = await import("../server/http/mod.ts");
    const { hostname, access, tls, telemetry, slowRequestMs, count } = options;
    const connections = connectionLimit(http.descriptorsMaxOf, warnOfConnections);
    const changeFeeds = new http.ChangeFeeds();
    count?.tellApart(() => changeFeeds.open);
    let listener: Listener;
    try {
      const port = count === undefined ? options.port : await freePort(http, options);
      listener = http.listen({
        hostname,
        port,
        reusePort: count !== undefined,
        // Nothing can arrive before this function is through, so the port may be known later.
        fetch: count === undefined
          ? (request, connection) => app.fetch(request, connection)
          : (request, connection) => app.fetch(request, count.around(connection)),
        ...(tls !== undefined && { tls: tls.tls }),
        ...(connections !== undefined && { connections }),
      });
    } catch (error) {
      throw new CliError(
        EXIT_CODE.connection,
        `cannot listen on ${formatHostPort(options)}: ${
          systemReason(error)
        }; choose another with --http`,
        { cause: error },
      );
    }
    const app = http.createApp(store, {
      ...hostRules(http, options, listener.port),
      telemetry,
      slowRequestMs,
      changeFeeds,
      ...(access !== undefined && { access }),
    });
    const answer: Handler = (request, connection) => app.fetch(request, connection as object);
    return new HttpServer(listener, answer, changeFeeds);
  }

  /** As {@link Listener.renew}. */
  renew(tls: TlsFiles): void {
    this.#listener.renew(tls);
  }

  /** As {@link Listener.close}; change feeds, which never end by themselves, end at once. */
  close(graceMs: number): Promise<void> {
    const changeFeeds = this.#changeFeeds;
    changeFeeds.stop();
    return this.#listener.close(graceMs, () => changeFeeds.open);
  }
}

/**
 * The port, if it is free: a port that is shared, others of the same user could listen on unnoticed.
 * Throws if it is not.
 */
async function freePort(http: Http, { hostname, port }: HostPort): Promise<number> {
  const probe = http.listen({ hostname, port, fetch: () => new Response(null, { status: 503 }) });
  await probe.close(0);
  return probe.port;
}

/** The names under which clients may come. */
export function hostRules(
  http: Http,
  options: Pick<HttpServerOptions, "hostname" | "hostNames"> & { tls: unknown },
  port: number,
): HostRules {
  const { hostname, hostNames, tls } = options;
  const secure = tls !== undefined;
  const named = hostNames.flatMap((name) =>
    // Without a port it may be this server's, or through a proxy the one that schemes have anyway.
    /:\d+$/.test(name) ? [name] : [name, ...http.authoritiesOf(name, port, secure)]
  );
  const own = isLoopback(hostname) || isUnspecified(hostname)
    ? [...http.loopbackAuthorities(hostname, port, secure)]
    : http.authoritiesOf(hostname.includes(":") ? `[${hostname}]` : hostname, port, secure);
  return {
    authorities: new Set([...own, ...named]),
    proxied: new Set(named),
    secure,
    ...(isUnspecified(hostname) && { addressPort: port }),
  };
}

/** Says so when there are too many. */
export function warnOfConnections(descriptors: number, descriptorsMax: number): void {
  getLogger(["cairn", "http"]).warn(
    "Too many connections: closing idle ones, and taking no new ones until there are fewer",
    { descriptors, descriptorsMax },
  );
}
