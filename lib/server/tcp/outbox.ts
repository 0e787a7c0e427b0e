/**
 * Replies of one connection that its client has not taken yet. What the socket takes at once never
 * comes to lie here.
 */

import type { Transport } from "./transport.ts";

/** Shorter pieces are put together, so that many of them take no more memory than their bytes. */
const SHORT_BYTES = 16 << 10;

/** What all connections of a server hold together. */
export interface HeldBytes {
  /** Unsent bytes of replies. */
  output: number;
  /** Bytes of unfinished commands that are not short. */
  input: number;
  /** Bytes that clients took. */
  sent: number;
}

/** Limits of an {@link Outbox}. */
export interface OutboxLimits {
  /** Unsent bytes of one connection. */
  outputBytesMax: number;
  /** Unsent bytes of all of them; but one is let in whatever it holds. */
  outputBytesHeldMax: number;
}

/** A piece of the replies. */
interface Piece {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Whether something may be written behind its end. */
  isOpen: boolean;
}

/** The outbox of one connection. */
export class Outbox {
  /** Bytes that wait. */
  unsentBytes = 0;
  /** Bytes taken since this was last set to 0. */
  taken = 0;
  /** Whether the client was so far behind that its replies were thrown away. */
  isOverflown = false;

  readonly #transport: Transport;
  readonly #held: HeldBytes;
  readonly #limits: OutboxLimits;
  #pieces: Piece[] = [];
  #isClosed = false;

  constructor(transport: Transport, held: HeldBytes, limits: OutboxLimits) {
    this.#transport = transport;
    this.#held = held;
    this.#limits = limits;
  }

  /** Sends bytes behind all others. With `isOurs` nobody changes them, so they need no copy. */
  send(bytes: Uint8Array, start: number, end: number, isOurs: boolean): void {
    if (this.#isClosed || start === end) return;
    let from = start;
    if (this.unsentBytes === 0) {
      from += this.#write(bytes, start, end);
      if (from === end) return;
    }
    this.#keep(bytes, from, end, isOurs);
  }

  /** The socket takes more. */
  drain(): void {
    let sent = 0;
    const pieces = this.#pieces;
    while (sent < pieces.length && !this.#isClosed) {
      const piece = pieces[sent]!;
      const count = this.#write(piece.bytes, piece.start, piece.end);
      piece.start += count;
      this.unsentBytes -= count;
      this.#held.output -= count;
      if (piece.start < piece.end) break;
      sent++;
    }
    if (sent > 0) pieces.splice(0, sent);
  }

  /** Throws everything away, from now on too. */
  close(): void {
    this.#isClosed = true;
    this.#held.output -= this.unsentBytes;
    this.unsentBytes = 0;
    this.#pieces = [];
  }

  #write(bytes: Uint8Array, start: number, end: number): number {
    const count = this.#transport.write(bytes, start, end);
    this.taken += count;
    this.#held.sent += count;
    return count;
  }

  #keep(bytes: Uint8Array, start: number, end: number, isOurs: boolean): void {
    const length = end - start;
    const { outputBytesMax, outputBytesHeldMax } = this.#limits;
    const unsentBytes = this.unsentBytes + length;
    const others = this.#held.output - this.unsentBytes;
    if (unsentBytes > outputBytesMax || (others > 0 && others + unsentBytes > outputBytesHeldMax)) {
      this.isOverflown = true;
      this.close();
      return;
    }
    this.unsentBytes = unsentBytes;
    this.#held.output += length;
    if (isOurs && length >= SHORT_BYTES) {
      this.#pieces.push({ bytes, start, end, isOpen: false });
    } else this.#copy(bytes, start, end);
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    let from = start;
    const last = this.#pieces.at(-1);
    if (last?.isOpen) {
      from += Math.min(end - start, last.bytes.length - last.end);
      last.bytes.set(bytes.subarray(start, from), last.end);
      last.end += from - start;
    }
    if (from === end) return;
    const own = new Uint8Array(Math.max(SHORT_BYTES, end - from));
    own.set(bytes.subarray(from, end));
    this.#pieces.push({ bytes: own, start: 0, end: end - from, isOpen: true });
  }
}
