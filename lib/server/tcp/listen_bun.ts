/** Bun's own sockets. */

import { systemClock } from "../../clock.ts";
import type { TlsFiles } from "../tls_files.ts";
import type { SocketListener, SocketOptions } from "./listen.ts";
import { joinHostPort, type Transport, type TransportEvents } from "./transport.ts";

/** The part of Bun's interface that is used here. */
export interface BunRuntime {
  listen(options: {
    hostname: string;
    port: number;
    allowHalfOpen: true;
    exclusive: true;
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
  /** What was made of it when it was opened; undefined if it was refused. */
  data: TransportEvents | undefined;
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
    return this.#bun.listen({
      hostname: this.#options.hostname,
      port,
      // Who has sent all its commands may say so, and still wants the replies.
      allowHalfOpen: true,
      exclusive: true,
      socket: this.#handlers,
      ...(tls !== undefined && { tls }),
    });
  }
}

/** One set of handlers for all sockets: what differs is in the socket's data. */
function handlersFor({ accept }: SocketOptions): BunHandlers {
  return {
    binaryType: "uint8array",
    open(socket) {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      socket.data = accept(new BunTransport(socket));
    },
    data: (socket, chunk) => socket.data?.received(chunk),
    drain: (socket) => socket.data?.drained(),
    end: (socket) => socket.data === undefined ? socket.end() : socket.data.ended(),
    close: (socket) => socket.data?.closed(),
    error: () => {}, // it is closed after that
  };
}

class BunTransport implements Transport {
  readonly remoteAddress: string;
  readonly remoteHost: string;
  readonly localAddress: string;
  readonly #socket: BunSocket;

  constructor(socket: BunSocket) {
    this.#socket = socket;
    this.remoteHost = socket.remoteAddress;
    this.remoteAddress = joinHostPort(socket.remoteAddress, socket.remotePort);
    this.localAddress = joinHostPort(socket.localAddress, socket.localPort);
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    // Below zero if the connection is gone.
    return Math.max(0, this.#socket.write(bytes, start, end - start));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.shutdown();
  }

  close(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.terminate();
  }
}
