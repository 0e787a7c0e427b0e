/** The HTTP server of `cairn serve`: its application, who may use it, and under which names. */

import { getLogger } from "@logtape/logtape";
import type { KvStore } from "../mod.ts";
import type {
  AccessControl,
  ChangeFeeds,
  HostRules,
  Listener,
  Telemetry,
  TlsFiles,
} from "../server/http/mod.ts";
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
}

type Http = typeof import("../server/http/mod.ts");

/** A server that listens. */
export class HttpServer {
  /** Where it is reached. */
  readonly url: string;
  readonly #listener: Listener;
  readonly #changeFeeds: ChangeFeeds;

  private constructor(listener: Listener, changeFeeds: ChangeFeeds) {
    this.#listener = listener;
    this.#changeFeeds = changeFeeds;
    this.url = listener.url;
  }

  /** Listens, or throws a CliError. */
  static async start(store: KvStore, options: HttpServerOptions): Promise<HttpServer> {
    // Loaded here, so that the other commands start without it.
    const http = await import("../server/http/mod.ts");
    const { hostname, port, access, tls, telemetry, slowRequestMs } = options;
    const connections = connectionLimit(http.descriptorsMaxOf, warnOfConnections);
    const changeFeeds = new http.ChangeFeeds();
    let listener: Listener;
    try {
      listener = http.listen({
        hostname,
        port,
        // Nothing can arrive before this function is through, so the port may be known later.
        fetch: (request, connection) => app.fetch(request, connection),
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
    return new HttpServer(listener, changeFeeds);
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

/** The names under which clients may come. */
function hostRules(http: Http, options: HttpServerOptions, port: number): HostRules {
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

function warnOfConnections(descriptors: number, descriptorsMax: number): void {
  getLogger(["cairn", "http"]).warn(
    "Too many connections: closing idle ones, and taking no new ones until there are fewer",
    { descriptors, descriptorsMax },
  );
}
