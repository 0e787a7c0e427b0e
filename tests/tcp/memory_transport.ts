/** A connection without a socket: what the client sends and takes is up to the test. */

import type { Transport, TransportEvents } from "../../lib/server/tcp/transport.ts";
import { bytesOf, latin1 } from "./fed_parser.ts";

/** The client's end of a connection that a server has accepted. */
export class MemoryTransport implements Transport {
  readonly remoteAddress = "192.0.2.1:1234";
  readonly remoteHost = "192.0.2.1";
  readonly localAddress = "192.0.2.2:8621";
  /** How many bytes the client takes from now on. */
  room = Infinity;
  /** What the client was sent, write by write. */
  readonly writes: string[] = [];
  isPaused = false;
  /** How the server ended it. */
  outcome: "ended" | "closed" | "destroyed" | undefined;
  readonly #events: TransportEvents | undefined;

  constructor(server: { accept(transport: Transport): TransportEvents | undefined }) {
    this.#events = server.accept(this);
  }

  /** Everything that came. */
  get text(): string {
    return this.writes.join("");
  }

  /** Whether the server took it. */
  get isAccepted(): boolean {
    return this.#events !== undefined;
  }

  /** Sends bytes, in Latin-1. */
  send(input: string | Uint8Array): void {
    this.#events?.received(typeof input === "string" ? bytesOf(input) : input);
  }

  /** Sends nothing more. */
  finish(): void {
    this.#events?.ended();
  }

  /** Goes away. */
  leave(): void {
    this.#events?.closed();
  }

  /** Takes so many bytes more. */
  take(count: number): void {
    this.room = count;
    this.#events?.drained();
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    const count = Math.min(end - start, this.room);
    this.room -= count;
    if (count > 0) this.writes.push(latin1(bytes.subarray(start, start + count)));
    return count;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.outcome = "ended";
  }

  close(): void {
    this.outcome = "closed";
    this.#events?.closed();
  }

  destroy(): void {
    this.outcome = "destroyed";
    this.#events?.closed();
  }
}
