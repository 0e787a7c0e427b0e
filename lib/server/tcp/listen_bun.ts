/** Bun's own sockets. */

import { systemClock } from "../../clock.ts";
import type { TlsFiles } from "../tls_files.ts";
import { BusyPolling } from "./busy_polling.ts";
import { GATHERED_BYTES_MAX, GatheredWrites, type GatheringSocket } from "./gathered_writes.ts";
import type { SocketListener, SocketOptions } from "./listen.ts";
import { joinHostPort, type Transport, type TransportEvents } from "./transport.ts";

/** The part of Bun's interface that is used here. */
export interface BunRuntime {
  listen(options: {
    hostname: string;
    port: number;
    allowHalfOpen: true;
    exclusive: boolean;
    reusePort: boolean;
    tls?: TlsFiles;
    socket: BunHandlers;
  }): BunListener;
}

interface BunListener {
  readonly port: number;
  stop(closeActiveConnections: boolean): void;
}

interface BunHandlers {
  binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket): void;
  error(socket: BunSocket): void;
}

interface BunSocket {
  /** Undefined until it is opened. */
  data: BunTransport | undefined;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  write(bytes: Uint8Array, offset: number, length: number): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  end(): void;
  terminate(): void;
  setNoDelay(isOn: boolean): boolean;
  setKeepAlive(isOn: boolean, delayMs: number): boolean;
}

const KEEP_ALIVE_MS = 300_000;
const RETRY_MS = 250;

/** Starts to listen. */
export function listenOnBun(bun: BunRuntime, options: SocketOptions): SocketListener {
  return new BunSocketListener(bun, options);
}

class BunSocketListener implements SocketListener {
  readonly port: number;
  readonly #bun: BunRuntime;
  readonly #options: SocketOptions;
  readonly #handlers: BunHandlers;
  #tls: TlsFiles | undefined;
  #current: BunListener | undefined;
  #isStopped = false;

  constructor(bun: BunRuntime, options: SocketOptions) {
    this.#bun = bun;
    this.#options = options;
    this.#tls = options.tls;
    this.#handlers = handlersFor(options);
    this.#current = this.#listen(options.port, options.tls);
    this.port = this.#current.port;
  }

  stop(): void {
    this.#isStopped = true;
    this.#current?.stop(false);
    this.#current = undefined;
  }

  renew(tls: TlsFiles): void {
    // Tried out first on a port of its own: no certificate may cost us the socket we have.
    this.#listen(0, tls).stop(true);
    this.#tls = tls;
    this.#current?.stop(false);
    this.#current = undefined;
    this.#listenAgain();
  }

  #listenAgain(): void {
    if (this.#isStopped) return;
    try {
      this.#current = this.#listen(this.port, this.#tls);
    } catch {
      // Somebody else has taken the port in between: as soon as it is free again.
      systemClock.schedule(RETRY_MS, () => this.#listenAgain(), true);
    }
  }

  #listen(port: number, tls: TlsFiles | undefined): BunListener {
    const { hostname, reusePort = false } = this.#options;
    return this.#bun.listen({
      hostname,
      port,
      // Who has sent all its commands may say so, and still wants the replies.
      allowHalfOpen: true,
      exclusive: !reusePort,
      reusePort,
      socket: this.#handlers,
      ...(tls !== undefined && { tls }),
    });
  }
}

/** One set of handlers for all sockets: what differs is in the socket's data. */
function handlersFor({ accept }: SocketOptions): BunHandlers {
  const gathered = new GatheredWrites();
  const polling = new BusyPolling(systemClock);
  return {
    binaryType: "uint8array",
    open(socket) {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      const transport = new BunTransport(socket, gathered);
      socket.data = transport;
      transport.events = accept(transport);
    },
    data(socket, chunk) {
      polling.came();
      socket.data?.events?.received(chunk);
    },
    drain: (socket) => socket.data?.drain(),
    end(socket) {
      const events = socket.data?.events;
      if (events === undefined) socket.end();
      else events.ended();
    },
    close: (socket) => socket.data?.closed(),
    error: () => {}, // it is closed after that
  };
}

class BunTransport implements Transport, GatheringSocket {
  readonly remoteAddress: string;
  readonly remoteHost: string;
  readonly localAddress: string;
  /** Who is told of the socket; undefined if it was refused. */
  events: TransportEvents | undefined;
  readonly #socket: BunSocket;
  readonly #gathered: GatheredWrites;
  #isGathered = false;
  /** What was gathered and the socket has not taken yet: that little, it holds as the system does. */
  #rest: Uint8Array | undefined;
  /** What is to be done behind the rest. */
  #isToEnd: "end" | "close" | undefined;

  constructor(socket: BunSocket, gathered: GatheredWrites) {
    this.#socket = socket;
    this.#gathered = gathered;
    this.remoteHost = socket.remoteAddress;
    this.remoteAddress = joinHostPort(socket.remoteAddress, socket.remotePort);
    this.localAddress = joinHostPort(socket.localAddress, socket.localPort);
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    this.#settle();
    if (this.#rest !== undefined) return 0;
    if (end - start > GATHERED_BYTES_MAX) return this.#write(bytes, start, end);
    this.#isGathered = true;
    this.#gathered.add(this, bytes, start, end);
    return end - start;
  }

  takeGathered(bytes: Uint8Array, start: number, end: number): void {
    this.#isGathered = false;
    const from = start + this.#write(bytes, start, end);
    if (from < end) this.#rest = bytes.slice(from, end);
  }

  /** The socket takes more. */
  drain(): void {
    const rest = this.#rest;
    if (rest !== undefined) {
      const from = this.#write(rest, 0, rest.length);
      this.#rest = from < rest.length ? rest.subarray(from) : undefined;
      if (this.#rest !== undefined) return;
      if (this.#isToEnd !== undefined) return this.#endNow(this.#isToEnd);
    }
    this.events?.drained();
  }

  /** The socket is gone. */
  closed(): void {
    this.#rest = undefined;
    this.events?.closed();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#end("end");
  }

  close(): void {
    this.#end("close");
  }

  destroy(): void {
    this.#settle();
    this.#rest = undefined;
    this.#socket.terminate();
  }

  #end(how: "end" | "close"): void {
    this.#settle();
    if (this.#rest === undefined) this.#endNow(how);
    else this.#isToEnd = how;
  }

  #endNow(how: "end" | "close"): void {
    if (how === "end") this.#socket.shutdown();
    else this.#socket.end();
  }

  /** Hands over what is gathered: nothing may overtake it. */
  #settle(): void {
    if (this.#isGathered) this.#gathered.flush();
  }

  #write(bytes: Uint8Array, start: number, end: number): number {
    const count = this.#socket.write(bytes, start, end - start);
    // Below zero if the connection is gone: there is nobody left to send the rest to.
    return count < 0 ? end - start : count;
  }
}
