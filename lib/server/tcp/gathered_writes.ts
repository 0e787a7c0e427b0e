/**
 * Short writes to several sockets, made one right behind the other. A client that waits for one of
 * them is woken by the first, and finds others when it looks; written with work in between, each would
 * wake it anew. With 64 connections and pipelines of 16, that makes a GET under Bun cheaper by a fifth.
 */

import { systemClock } from "../../clock.ts";

/** Longer ones are worth a write of their own, and are not copied once more. */
export const GATHERED_BYTES_MAX = 4 << 10;
/** So many are enough: whoever gets the first can be at work while the next are put together. */
const SOCKETS_MAX = 10;
/** Up to this length a loop copies faster than a view is made. */
const LOOP_BYTES_MAX = 128;

/** A socket whose writes are gathered, at most one at a time. */
export interface GatheringSocket {
  /** Takes what was gathered: the bytes from `start` to `end`, which may be changed afterwards. */
  takeGathered(bytes: Uint8Array, start: number, end: number): void;
}

/** Those of all sockets of a listener. */
export class GatheredWrites {
  readonly #memory = new Uint8Array(SOCKETS_MAX * GATHERED_BYTES_MAX);
  readonly #sockets: GatheringSocket[] = [];
  readonly #ends: number[] = [];
  #used = 0;
  #isPlanned = false;

  /** Takes at most {@link GATHERED_BYTES_MAX} bytes, of a socket of which there are none. */
  add(socket: GatheringSocket, bytes: Uint8Array, start: number, end: number): void {
    const memory = this.#memory;
    let used = this.#used;
    if (end - start > LOOP_BYTES_MAX) {
      memory.set(bytes.subarray(start, end), used);
      used += end - start;
    } else {
      for (let at = start; at < end; at++) memory[used++] = bytes[at]!;
    }
    this.#used = used;
    this.#sockets.push(socket);
    this.#ends.push(this.#used);
    if (this.#sockets.length === SOCKETS_MAX) return this.flush();
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    systemClock.defer(() => {
      this.#isPlanned = false;
      this.flush();
    });
  }

  /** Hands all of it to the sockets. */
  flush(): void {
    const count = this.#sockets.length;
    let start = 0;
    for (let index = 0; index < count; index++) {
      const end = this.#ends[index]!;
      this.#sockets[index]!.takeGathered(this.#memory, start, end);
      start = end;
    }
    this.#sockets.length = 0;
    this.#ends.length = 0;
    this.#used = 0;
  }
}
