/** The TCP service of a store. */

import { getLogger } from "@logtape/logtape";
import type { Clock, ScheduledTask } from "../../clock.ts";
import {
  TCP_BYTES_PER_SECOND_MIN,
  TCP_CLIENTS_MAX,
  TCP_COMMAND_BYTES_MAX,
  TCP_COMMANDS_IN_FLIGHT_MAX,
  TCP_FIRST_COMMAND_MS,
  TCP_IDLE_MS,
  TCP_INPUT_BYTES_HELD_MAX,
  TCP_LONG_READ_BYTES_MAX,
  TCP_OUTPUT_BYTES_CALM,
  TCP_OUTPUT_BYTES_HELD_MAX,
  TCP_OUTPUT_BYTES_MAX,
  TCP_STALL_MS,
  VALUE_BYTES_MAX_DEFAULT,
} from "../../limits.ts";
import { KvError, type KvStore } from "../../mod.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { AccessControl } from "../access_control.ts";
import type { ConnectionLimit } from "../connection_limit.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import type { TlsFiles } from "../tls_files.ts";
import { Connection } from "./connection.ts";
import type { ConnectionContext, SessionFactory, TcpLimits } from "./connection_context.ts";
import { listenOn, type SocketListener } from "./listen.ts";
import { LongReads } from "./long_reads.ts";
import { ReplyBuffer } from "./reply_buffer.ts";
import { RespEncoder } from "./resp/resp_encoder.ts";
import { RespService } from "./resp/resp_service.ts";
import { SetsInFlight } from "./sets_in_flight.ts";
import { TcpMetrics } from "./tcp_metrics.ts";
import type { ThreadPort } from "./threads/frames.ts";
import { hostConnections } from "./threads/relayed_connections.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import { UsualCommands } from "./usual_commands.ts";

/** Options of {@link createTcpServer}. */
export interface TcpServerOptions {
  /** Who may do what, by token (default: everybody everything). */
  access?: AccessControl;
  /** Limits, where they are to differ from those that the documentation has. */
  limits?: Partial<TcpLimits>;
  /** Keeps the number of open descriptors below a maximum. */
  connections?: ConnectionLimit;
  /** Receives log entries instead of LogTape's category `cairn`, `tcp`. */
  logger?: Logger;
  /** A command that takes so many milliseconds or longer is logged as slow (default 1000). */
  slowRequestMs?: number;
  /** What the server is measured with (default: one of its own); share that of the HTTP service. */
  telemetry?: Telemetry;
  /** Whether `FLUSHALL` and `FLUSHDB` are allowed (default: if there are no tokens). */
  allowFlush?: boolean;
  /** What `CONFIG GET` says beside or instead of what it says by itself. */
  config?: Readonly<Record<string, string>>;
  /** Version of this program, as `INFO` tells it. */
  version?: string;
  /** Executes the RESP commands of a connection (default: the store does). */
  createSession?: SessionFactory;
}

/** Where to listen. */
export interface TcpListenOptions {
  /** Address to listen on (default 127.0.0.1). */
  hostname?: string;
  /** Port; 0 takes a free one (default 8621). */
  port?: number;
  /** Makes it TLS 1.2 or 1.3. */
  tls?: TlsFiles;
  /** Shares the port with other threads, which listen on it too (Bun on Linux; default false). */
  reusePort?: boolean;
}

const SLOW_REQUEST_MS_DEFAULT = 1000;
const PORT_DEFAULT = 8621;
const SWEEP_MS_MAX = 1000;
const SWEEP_MS_MIN = 10;
const POLL_MS = 20;
const FAREWELL_MS = 300;
const REPORT_INTERVAL_MS = 10_000;
const TOO_MANY = new TextEncoder().encode("-ERR max number of clients reached\r\n");

/**
 * Makes the TCP service of a store: one port for the text protocol and for clients of Redis. It
 * listens when {@link TcpServer.listen} is called.
 *
 * @example
 * ```ts
 * import { connect } from "node:net";
 * import { once } from "node:events";
 * import { KvStore } from "@cairn/kv";
 * import { createTcpServer } from "@cairn/kv/tcp";
 *
 * await using store = await KvStore.open("./data");
 * await using server = createTcpServer(store);
 * const { port } = await server.listen({ port: 0 });
 *
 * const socket = connect(port, "127.0.0.1");
 * socket.end("SET greeting 5\nhelloGET greeting\n");
 * let answer = "";
 * socket.on("data", (chunk) => answer += String(chunk));
 * await once(socket, "close");
 * console.log(JSON.stringify(answer)); // "OK\nVALUE 5\nhello"
 * ```
 */
export function createTcpServer(store: KvStore, options: TcpServerOptions = {}): TcpServer {
  return new TcpServer(store, options);
}

/**
 * A TCP service; made by {@link createTcpServer}.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 * import { createTcpServer } from "@cairn/kv/tcp";
 *
 * await using store = await KvStore.open("./data");
 * const server = createTcpServer(store);
 * const { hostname } = await server.listen({ port: 0 });
 * console.log(hostname, server.connectionsOpen); // 127.0.0.1 0
 * await server.close(10_000); // commands under way have ten seconds; the store stays open
 * ```
 */
export class TcpServer implements AsyncDisposable {
  readonly #context: ConnectionContext;
  readonly #resp: RespService;
  readonly #connectionLimit: ConnectionLimit | undefined;
  readonly #connections = new Set<Connection>();
  #listener: SocketListener | undefined;
  #sweep: ScheduledTask | undefined;
  #nextId = 1;
  #reportedAt = -Infinity;
  #isClosing = false;

  /** See {@link createTcpServer}. */
  constructor(store: KvStore, options: TcpServerOptions = {}) {
    const {
      access,
      allowFlush = access === undefined,
      logger = getLogger(["cairn", "tcp"]),
      slowRequestMs = SLOW_REQUEST_MS_DEFAULT,
      telemetry = new Telemetry(),
      version = "0.0.0",
    } = options;
    const metrics = new TcpMetrics();
    telemetry.metrics.add(...metrics.metrics());
    const observed = telemetry.observe(store);
    const direct = telemetry.access(store);
    const limits = limitsOf(options.limits);
    const { clock } = telemetry;
    const { valueBytesMax, clientsMax, idleMs } = limits;
    const longReads = new LongReads(limits.longReadBytesMax);
    const resp = new RespService(observed, {
      longReads,
      direct,
      access,
      allowFlush,
      clock,
      logger,
      valueBytesMax,
      version,
      config: {
        maxclients: String(clientsMax),
        timeout: String(Math.ceil(idleMs / 1000)),
        ...options.config,
      },
    });
    this.#resp = resp;
    const output = new ReplyBuffer();
    const encoder = new RespEncoder(output);
    const onFailure = (error: unknown) => logger.error("A command failed: {error}", { error });
    this.#connectionLimit = options.connections;
    this.#context = {
      limits,
      clock,
      logger,
      metrics,
      held: metrics.held,
      output,
      encoder,
      text: { store: observed, direct, access, onFailure, longReads },
      createSession: options.createSession ?? ((connection) => resp.open(connection)),
      sets: new SetsInFlight(direct),
      tracing: telemetry.tracing,
      usual: new UsualCommands(limits, output, encoder, metrics),
      respRefusal: (error) => resp.errorReply(error),
      slowRequestMs,
    };
  }

  /** Connections that are open. */
  get connectionsOpen(): number {
    return this.#connections.size;
  }

  /**
   * Starts to listen, and resolves to where. Rejects if the address cannot be had, the certificate is
   * of no use, or this server listens already.
   */
  async listen(options: TcpListenOptions = {}): Promise<{ hostname: string; port: number }> {
    const { hostname = "127.0.0.1", port = PORT_DEFAULT, tls, reusePort = false } = options;
    if (this.#listener !== undefined || this.#isClosing) {
      throw new KvError("InvalidArgument", "This server has listened before: create another");
    }
    const accept = (transport: Transport) => this.accept(transport);
    this.#listener = await listenOn({ hostname, port, tls, accept, reusePort });
    return { hostname, port: this.#listener.port };
  }

  /** Takes a connection that somebody else has made. Undefined if there are too many. */
  accept(transport: Transport): TransportEvents | undefined {
    const { metrics, limits, logger } = this.#context;
    const isTooMany = this.#connections.size >= limits.clientsMax || this.#hasTooManyDescriptors();
    if (isTooMany || this.#isClosing) {
      metrics.connectionsRefused++;
      if (isTooMany) this.#reportTooMany();
      transport.write(TOO_MANY, 0, TOO_MANY.length);
      transport.close();
      return undefined;
    }
    metrics.connectionsAccepted++;
    metrics.connectionsOpen++;
    const connection = new Connection(this.#nextId++, transport, this.#context, (closed) => {
      this.#connections.delete(closed);
      metrics.connectionsOpen--;
      logger.debug("Connection {connection} is closed", { connection: closed.id });
    });
    this.#connections.add(connection);
    const address = connection.remoteAddress;
    logger.debug("Connection {connection} from {address}", { connection: connection.id, address });
    this.#sweep ??= this.#sweepLater(this.#context.clock);
    return connection;
  }

  /**
   * Takes the connections that a {@link ReadingServer} on another thread accepts, at the other end of
   * this port.
   *
   * @internal
   */
  host(port: ThreadPort): void {
    hostConnections(port, {
      clock: this.#context.clock,
      accept: (transport) => this.accept(transport),
      count: (counts) => this.#resp.count(counts),
    });
  }

  /**
   * Uses another certificate for new connections. Throws a KvError `Unsupported` under Deno, and what
   * the runtime says if the certificate is of no use; the old one stays then.
   */
  renew(tls: TlsFiles): void {
    this.#listener?.renew(tls);
  }

  /**
   * Takes no more connections and no more commands, lets those that are under way be answered for at
   * most `graceMs` milliseconds (default 10,000), and then ends what is left.
   */
  async close(graceMs = 10_000): Promise<void> {
    const { clock } = this.#context;
    this.#isClosing = true;
    this.#listener?.stop();
    for (const connection of [...this.#connections]) connection.stop();
    const deadline = clock.monotonic() + graceMs;
    const isAnswering = () => [...this.#connections].some((each) => each.isAnswering);
    await this.#poll(deadline, isAnswering);
    // Clients that have all their replies close as a rule when they are told; others are not worth it.
    await this.#poll(clock.monotonic() + FAREWELL_MS, () => this.#connections.size > 0);
    for (const connection of [...this.#connections]) connection.destroy();
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  /** As {@link close}; what `await using` calls. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #poll(deadline: number, isToWait: () => boolean): Promise<void> {
    const { clock } = this.#context;
    while (isToWait() && clock.monotonic() < deadline) {
      await new Promise<void>((resolve) => clock.schedule(POLL_MS, resolve));
    }
  }

  #sweepLater(clock: Clock): ScheduledTask {
    const { idleMs, firstCommandMs, stallMs } = this.#context.limits;
    // Often enough for the shortest of these; seldom enough to cost nothing.
    const shortestMs = Math.min(...[idleMs, firstCommandMs, stallMs].filter((ms) => ms > 0));
    const delayMs = Math.min(SWEEP_MS_MAX, Math.max(SWEEP_MS_MIN, shortestMs / 4));
    return clock.schedule(delayMs, () => {
      const now = clock.monotonic();
      for (const connection of [...this.#connections]) connection.sweep(now);
      this.#sweep = this.#connections.size === 0 ? undefined : this.#sweepLater(clock);
    }, true);
  }

  #hasTooManyDescriptors(): boolean {
    const limit = this.#connectionLimit;
    return limit !== undefined && limit.descriptorsOpen() > limit.descriptorsMax;
  }

  #reportTooMany(): void {
    const { clock, logger } = this.#context;
    const now = clock.monotonic();
    if (now - this.#reportedAt < REPORT_INTERVAL_MS) return;
    this.#reportedAt = now;
    const connections = this.#connections.size;
    logger.warn("Too many connections: refusing new ones until there are fewer", { connections });
  }
}

function limitsOf(given: Partial<TcpLimits> = {}): TcpLimits {
  const limits: TcpLimits = {
    clientsMax: TCP_CLIENTS_MAX,
    valueBytesMax: VALUE_BYTES_MAX_DEFAULT,
    commandBytesMax: TCP_COMMAND_BYTES_MAX,
    commandsInFlightMax: TCP_COMMANDS_IN_FLIGHT_MAX,
    inputBytesHeldMax: TCP_INPUT_BYTES_HELD_MAX,
    longReadBytesMax: TCP_LONG_READ_BYTES_MAX,
    outputBytesCalm: TCP_OUTPUT_BYTES_CALM,
    outputBytesMax: TCP_OUTPUT_BYTES_MAX,
    outputBytesHeldMax: TCP_OUTPUT_BYTES_HELD_MAX,
    idleMs: TCP_IDLE_MS,
    firstCommandMs: TCP_FIRST_COMMAND_MS,
    stallMs: TCP_STALL_MS,
    bytesPerSecondMin: TCP_BYTES_PER_SECOND_MIN,
    ...given,
  };
  for (const [name, value] of Object.entries(limits)) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new KvError("InvalidArgument", `Limit ${name} is ${value}: give an integer from 0`);
  }
  return limits;
}
