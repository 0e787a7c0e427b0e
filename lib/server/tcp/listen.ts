/** The sockets under a TCP server: Bun's own where there are any, else those of node:net. */

import type { TlsFiles } from "../tls_files.ts";
import { type BunRuntime, listenOnBun } from "./listen_bun.ts";
import { listenOnNode } from "./listen_node.ts";
import type { Acceptor } from "./transport.ts";

/** What is listened on. */
export interface SocketOptions {
  hostname: string;
  port: number;
  tls: TlsFiles | undefined;
  accept: Acceptor;
  /** Whether other threads may listen on the same port, each for a part of the connections. */
  reusePort?: boolean;
}

/** What listens. */
export interface SocketListener {
  /** The port, chosen by the system if 0 was asked for. */
  readonly port: number;
  /** Takes no more connections. Those that there are stay. */
  stop(): void;
  /**
   * Uses another certificate for new connections. Throws a KvError `Unsupported` where the runtime
   * cannot, and what it says if the certificate is of no use; the old one stays then.
   */
  renew(tls: TlsFiles): void;
}

/** Starts to listen. Rejects if the address cannot be had, or the certificate is of no use. */
export async function listenOn(options: SocketOptions): Promise<SocketListener> {
  const { Bun } = globalThis as { Bun?: BunRuntime };
  return Bun !== undefined ? listenOnBun(Bun, options) : await listenOnNode(options);
}

/** The port that was asked for, or one that is free for 0. Rejects if it cannot be had. */
export async function freePort(where: { hostname: string; port: number }): Promise<number> {
  const listener = await listenOn({
    ...where,
    tls: undefined,
    accept(transport) {
      transport.close();
      return undefined;
    },
  });
  listener.stop();
  return listener.port;
}
