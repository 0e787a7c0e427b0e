/** What a connection needs of its socket, whichever runtime that is of; and what it is told of it. */

/** The way to the client. Nothing of it throws: a socket that is gone takes nothing any more. */
export interface Transport {
  /** Where the client is, as `host:port`. */
  readonly remoteAddress: string;
  /** The client's address without the port. */
  readonly remoteHost: string;
  /** Where it was reached, as `host:port`. */
  readonly localAddress: string;
  /**
   * Sends as many of the bytes from `start` to `end` as it takes now, and returns how many these are.
   * If it is not all, `drained` follows when it takes more. The bytes may be changed afterwards.
   */
  write(bytes: Uint8Array, start: number, end: number): number;
  /** Hands over no more chunks, as soon as it can, until {@link resume}. */
  pause(): void;
  /** Hands over chunks again. */
  resume(): void;
  /** Tells the client that nothing follows what was written. */
  end(): void;
  /** Closes it, behind what was written. */
  close(): void;
  /** Cuts the connection off at once. */
  destroy(): void;
  /**
   * Told at the end of each turn of the connection.
   *
   * @internal
   */
  turned?(connection: TurnedConnection): void;
}

/** What a transport may know of a connection. */
export interface TurnedConnection {
  /** Whether all that came is executed, answered and sent. */
  readonly isSettled: boolean;
  /** What of this client other threads may read while it is settled, in bits. */
  readonly readsElsewhere: number;
}

/** Who is told of one connection. */
export interface TransportEvents {
  /** A chunk came; it belongs to the receiver from now on. */
  received(chunk: Uint8Array): void;
  /** More can be written. */
  drained(): void;
  /** The client will send nothing more. */
  ended(): void;
  /** The connection is gone; nothing follows. */
  closed(): void;
}

/** Takes a connection that was made; undefined if it is refused, and was dealt with. */
export type Acceptor = (transport: Transport) => TransportEvents | undefined;

/** `host:port`, with brackets around an address of IPv6. */
export function joinHostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The host that {@link joinHostPort} was given. */
export function hostOf(hostPort: string): string {
  const host = hostPort.replace(/:\d+$/, "");
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
