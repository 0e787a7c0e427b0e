/**
 * Bun's server. It has no limit on connections and keeps its certificate, so both are done by
 * replacing it: the old one stops listening, closes idle connections and finishes what is under way,
 * while a new one listens on the same port.
 */

import { systemClock } from "../../clock.ts";
import type { Handler } from "./gate.ts";
import type { TlsFiles } from "../tls_files.ts";
import type { Listener, ListenOptions } from "./listen.ts";
import { problemOf } from "./problem.ts";
import { urlOf } from "./server_url.ts";

/** The part of Bun's interface that is used here. */
export interface BunRuntime {
  serve(options: {
    hostname: string;
    port: number;
    development: false;
    reusePort: boolean;
    idleTimeout: number;
    maxRequestBodySize: number;
    fetch: (request: Request) => Response | Promise<Response>;
    error: (error: unknown) => Response;
    tls?: TlsFiles;
  }): BunServer;
}

interface BunServer {
  readonly port: number;
  readonly pendingRequests: number;
  requestIP(request: Request): { address: string } | null;
  stop(closeActiveConnections: boolean): Promise<void>;
}

/** Without a byte in either direction; before a request is whole, Bun itself waits 10 seconds. */
const IDLE_TIMEOUT_SECONDS = 60;
const POLL_MS = 20;
/** How often descriptors are counted: seldom while there are few, and often near the maximum. */
const COUNT_CALM_MS = 250;
const COUNT_TENSE_MS = 25;
/** An old server's connections that have sent nothing are ended after this. */
const RETIREMENT_MS = 15_000;
const REPORT_INTERVAL_MS = 10_000;

/** Starts a server. */
export function listenOnBun(bun: BunRuntime, options: ListenOptions): Listener {
  return new BunListener(bun, options);
}

class BunListener implements Listener {
  readonly port: number;
  readonly url: string;
  readonly #bun: BunRuntime;
  readonly #options: ListenOptions;
  readonly #fetch: (request: Request) => Response | Promise<Response>;
  /** The one that listens; undefined while none may. */
  #current: BunServer | undefined;
  readonly #retired = new Set<BunServer>();
  #tls: TlsFiles | undefined;
  #closing = false;
  #reportedAt = -Infinity;

  constructor(bun: BunRuntime, options: ListenOptions) {
    this.#bun = bun;
    this.#options = options;
    this.#tls = options.tls;
    const handle: Handler = options.fetch;
    // One for all requests: what an application may ask about a connection.
    const pendingRequests = () => this.#pendingRequests();
    const connection = {
      get pendingRequests() {
        return pendingRequests();
      },
      requestIP: (request: Request) => this.#requestIP(request),
    };
    this.#fetch = (request) => handle(request, connection);
    this.#current = this.#serve(options.port, options.tls);
    this.port = this.#current.port;
    this.url = urlOf(options, this.port);
    if (options.connections !== undefined) this.#countLater(COUNT_CALM_MS);
  }

  async close(graceMs: number, abandoned: () => number = () => 0): Promise<void> {
    this.#closing = true;
    this.#retire();
    const deadline = systemClock.monotonic() + graceMs;
    // Not for stop() to resolve: connections that never sent a request would hold it up.
    while (this.#pendingRequests() > abandoned() && systemClock.monotonic() < deadline) {
      await new Promise<void>((resolve) => systemClock.schedule(POLL_MS, resolve));
    }
    await Promise.all([...this.#retired].map((server) => server.stop(true)));
  }

  renew(tls: TlsFiles): void {
    // Tried out first on a port of its own: no certificate may cost us the socket we have.
    this.#serve(0, tls).stop(true);
    this.#tls = tls;
    if (this.#current === undefined) return;
    this.#retire();
    this.#listenAgain();
  }

  #serve(port: number, tls: TlsFiles | undefined): BunServer {
    return this.#bun.serve({
      hostname: this.#options.hostname,
      port,
      development: false,
      // With it, a second server can take the same port, and the kernel splits clients between them.
      reusePort: this.#options.reusePort ?? false,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      // The application limits bodies itself, with an answer of its own.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: this.#fetch,
      error: problemOf,
      ...(tls !== undefined && { tls }),
    });
  }

  #pendingRequests(): number {
    let pending = this.#current?.pendingRequests ?? 0;
    if (this.#retired.size === 0) return pending;
    for (const server of this.#retired) pending += server.pendingRequests;
    return pending;
  }

  #requestIP(request: Request): { address: string } | null {
    for (const server of [this.#current, ...this.#retired]) {
      const address = server?.requestIP(request) ?? null;
      if (address !== null) return address;
    }
    return null;
  }

  /** Stops listening and closes idle connections. */
  #retire(): void {
    const server = this.#current;
    if (server === undefined) return;
    this.#current = undefined;
    this.#retired.add(server);
    const forget = () => void this.#retired.delete(server);
    server.stop(false).then(forget, forget);
    const end = () => {
      if (!this.#retired.has(server)) return;
      if (server.pendingRequests === 0) server.stop(true).then(forget, forget);
      else systemClock.schedule(RETIREMENT_MS, end, true);
    };
    systemClock.schedule(RETIREMENT_MS, end, true);
  }

  #listenAgain(): void {
    if (this.#closing || this.#current !== undefined) return;
    try {
      this.#current = this.#serve(this.port, this.#tls);
    } catch {
      // Somebody else has taken the port in between: as soon as it is free again.
      systemClock.schedule(COUNT_CALM_MS, () => this.#listenAgain(), true);
    }
  }

  #countLater(delayMs: number): void {
    systemClock.schedule(delayMs, () => this.#count(), true);
  }

  /** Closes the door while too many are in, and opens it again when some have gone. */
  #count(): void {
    const limit = this.#options.connections;
    if (limit === undefined || this.#closing) return;
    const open = limit.descriptorsOpen();
    if (open <= limit.descriptorsMax) {
      this.#listenAgain();
    } else if (this.#current !== undefined) {
      this.#retire();
      this.#report(open);
    }
    this.#countLater(open * 2 > limit.descriptorsMax ? COUNT_TENSE_MS : COUNT_CALM_MS);
  }

  #report(open: number): void {
    const now = systemClock.monotonic();
    if (now - this.#reportedAt < REPORT_INTERVAL_MS) return;
    this.#reportedAt = now;
    this.#options.connections?.onLimit(open);
  }
}
