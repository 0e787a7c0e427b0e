/** The HTTP server of `cairn serve`: its application, who may use it, and under which names. */

import { getLogger } from "@logtape/logtape";
import { systemClock } from "../clock.ts";
import type { KvStore } from "../mod.ts";
import type {
  AccessControl,
  ChangeFeeds,
  ConnectionLimit,
  HostRules,
  Listener,
  Telemetry,
  Tokens,
} from "../server/http/mod.ts";
import { CliError } from "./cli_error.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { formatHostPort, type HostPort, isLoopback, isUnspecified } from "./host_port.ts";
import { descriptorsLimit, descriptorsOpen } from "./open_files.ts";
import type { LoadedTls } from "./serve_tls.ts";
import { systemReason } from "./system_reason.ts";

/** Options of {@link HttpServer.start}. */
export interface HttpServerOptions extends HostPort {
  /** Further names, with or without a port. */
  hostNames: readonly string[];
  tokens: Tokens | undefined;
  tls: LoadedTls | undefined;
  telemetry: Telemetry;
  /** Requests that take so many milliseconds or longer are logged as slow. */
  slowRequestMs: number;
}

type Http = typeof import("../server/http/mod.ts");

const EXPIRY_WARNING_MS = 14 * 86_400_000;

/** A server that listens. */
export class HttpServer {
  /** Where it is reached. */
  readonly url: string;
  readonly #listener: Listener;
  readonly #access: AccessControl | undefined;
  readonly #changeFeeds: ChangeFeeds;

  private constructor(
    listener: Listener,
    access: AccessControl | undefined,
    changeFeeds: ChangeFeeds,
  ) {
    this.#listener = listener;
    this.#access = access;
    this.#changeFeeds = changeFeeds;
    this.url = listener.url;
  }

  /** Listens, or throws a CliError. */
  static async start(store: KvStore, options: HttpServerOptions): Promise<HttpServer> {
    // Loaded here, so that the other commands start without it.
    const http = await import("../server/http/mod.ts");
    const { hostname, port, tokens, tls, telemetry, slowRequestMs } = options;
    const access = tokens === undefined ? undefined : new http.AccessControl(tokens);
    if (tls !== undefined) warnOfExpiry(tls);
    const connections = connectionLimit(http);
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
    return new HttpServer(listener, access, changeFeeds);
  }

  /** Takes what `loadTokens` and `loadTls` find now; keeps what it has of what cannot be used. */
  async renew(
    loadTokens: () => Promise<Tokens | undefined>,
    loadTls: () => Promise<LoadedTls | undefined>,
  ): Promise<void> {
    const logger = httpLogger();
    try {
      const tokens = await loadTokens();
      if (tokens !== undefined) this.#access?.replace(tokens);
      const tls = await loadTls();
      if (tls !== undefined) {
        this.#listener.renew(tls.tls);
        warnOfExpiry(tls);
      }
      logger.info("Read the files of tokens and certificate again", {});
    } catch (error) {
      logger.error("Cannot use the files of tokens and certificate, so the old stay: {error}", {
        error,
      });
    }
  }

  /** As {@link Listener.close}; change feeds, which never end by themselves, end at once. */
  close(graceMs: number): Promise<void> {
    const changeFeeds = this.#changeFeeds;
    changeFeeds.stop();
    return this.#listener.close(graceMs, () => changeFeeds.open);
  }
}

function httpLogger() {
  return getLogger(["cairn", "http"]);
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

function connectionLimit(http: Http): ConnectionLimit | undefined {
  const limit = descriptorsLimit();
  const open = descriptorsOpen();
  if (limit === undefined || open === undefined) return undefined;
  const descriptorsMax = http.descriptorsMaxOf(limit, open);
  return {
    descriptorsOpen: () => descriptorsOpen() ?? 0,
    descriptorsMax,
    onLimit: (descriptors) =>
      httpLogger().warn(
        "Too many connections: closing idle ones, and taking no new ones until there are fewer",
        { descriptors, descriptorsMax },
      ),
  };
}

function warnOfExpiry({ validFrom, validUntil }: LoadedTls): void {
  const now = systemClock.now();
  const until = new Date(validUntil).toISOString();
  const logger = httpLogger();
  if (validUntil <= now) logger.warn("The TLS certificate has expired at {until}", { until });
  else if (validFrom > now) logger.warn("The TLS certificate is not valid yet", {});
  else if (validUntil - now < EXPIRY_WARNING_MS) {
    logger.warn("The TLS certificate expires at {until}", { until });
  }
}
