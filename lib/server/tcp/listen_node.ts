/** The sockets of node:net and node:tls, for Deno and Node. */

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { KvError } from "../../errors.ts";
import type { TlsFiles } from "../tls_files.ts";
import type { SocketListener, SocketOptions } from "./listen.ts";
import { type Acceptor, joinHostPort, type Transport } from "./transport.ts";

const KEEP_ALIVE_MS = 300_000;
const HANDSHAKE_MS = 12_000;
/** Copied at once: what the socket has taken must not change under it. */
const WRITE_BYTES_MAX = 256 << 10;

/** Starts to listen. */
export async function listenOnNode(options: SocketOptions): Promise<SocketListener> {
  const { hostname, port, tls, accept } = options;
  const take = (socket: Socket) => takeSocket(socket, accept);
  const server: Server = tls === undefined
    ? createServer({ allowHalfOpen: true }, take)
    : createTlsServer({ ...tls, allowHalfOpen: true, handshakeTimeout: HANDSHAKE_MS }, take);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    stop: () => void server.close(),
    renew: (files) => renew(server, tls, files),
  };
}

function renew(server: Server, before: TlsFiles | undefined, files: TlsFiles): void {
  const { setSecureContext } = server as Partial<TlsServer>;
  if (before === undefined || setSecureContext === undefined || "Deno" in globalThis) {
    throw new KvError("Unsupported", "This server keeps its certificate: restart it");
  }
  setSecureContext.call(server as TlsServer, files);
}

function takeSocket(socket: Socket, accept: Acceptor): void {
  socket.on("error", () => {}); // it is closed after that
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  const transport = new NodeTransport(socket);
  const events = accept(transport);
  if (events === undefined) return;
  transport.onDrained = () => events.drained();
  socket.on("data", (chunk: Uint8Array) => events.received(chunk));
  socket.on("end", () => events.ended());
  socket.on("close", () => events.closed());
}

class NodeTransport implements Transport {
  readonly remoteAddress: string;
  readonly remoteHost: string;
  readonly localAddress: string;
  onDrained: () => void = () => {};
  readonly #socket: Socket;
  #isWriting = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remoteHost = socket.remoteAddress ?? "unknown";
    this.remoteAddress = joinHostPort(this.remoteHost, socket.remotePort ?? 0);
    this.localAddress = joinHostPort(socket.localAddress ?? "unknown", socket.localPort ?? 0);
  }

  /** One write at a time: what waits for it is counted by the connection, not hidden in here. */
  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.#isWriting || this.#socket.destroyed) return 0;
    const taken = Math.min(end - start, WRITE_BYTES_MAX);
    this.#isWriting = true;
    this.#socket.write(bytes.slice(start, start + taken), (error) => {
      this.#isWriting = false;
      if (!error) this.onDrained();
    });
    return taken;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
