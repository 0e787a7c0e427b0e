/**
 * What two threads tell each other of connections: many short messages, which go together as one, once
 * in a turn of the event loop. Its memory is handed over and not copied.
 */

import type { Clock } from "../../../clock.ts";

/** What a message is about. The upper ones go to the store's thread, the lower ones come from it. */
export const FRAME = {
  /** A connection was made; the payload says who it is. */
  open: 1,
  /** Bytes of a client, or for it. */
  data: 2,
  /** So many bytes for a client were taken by it. */
  taken: 3,
  /** The client sends nothing more. */
  ended: 4,
  /** The connection is gone. */
  closed: 5,
  /** Reads of the client were answered since this was told last. */
  active: 6,
  /** What was counted since this was told last. */
  counts: 7,

  /** Everything so far is executed and answered. */
  settled: 16,
  pause: 17,
  resume: 18,
  end: 19,
  close: 20,
  destroy: 21,
} as const;
/** One of {@link FRAME}. */
export type FrameKind = typeof FRAME[keyof typeof FRAME];

/** Kind, number of the connection, length of the payload. */
const HEADER_BYTES = 12;
const CAPACITY_MIN = 4096;
const NOTHING = new Uint8Array(0);

/** The end of a channel to another thread: a `MessagePort`, or what a test puts in its place. */
export interface ThreadPort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/** Puts messages together and sends them. */
export class FrameSender {
  readonly #port: ThreadPort;
  readonly #clock: Clock;
  #bytes = new Uint8Array(CAPACITY_MIN);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #isPlanned = false;

  constructor(port: ThreadPort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** Sends a message, whose payload is copied, at the end of this turn. */
  send(
    kind: FrameKind,
    id: number,
    payload: Uint8Array = NOTHING,
    start = 0,
    end = payload.length,
  ): void {
    const at = this.#begin(kind, id, end - start);
    this.#bytes.set(
      start === 0 && end === payload.length ? payload : payload.subarray(start, end),
      at,
    );
  }

  /** The same with one or two numbers below 2^32. */
  sendNumbers(kind: FrameKind, id: number, first: number, second?: number): void {
    const at = this.#begin(kind, id, second === undefined ? 4 : 8);
    this.#view.setUint32(at, first, true);
    if (second !== undefined) this.#view.setUint32(at + 4, second, true);
  }

  /** Sends what there is, now. */
  flush(): void {
    const length = this.#length;
    if (length === 0) return;
    const bytes = this.#bytes;
    this.#length = 0;
    this.#setMemory(new Uint8Array(Math.max(CAPACITY_MIN, 2 * length)));
    this.#port.postMessage({ bytes, length }, [bytes.buffer]);
  }

  /** Returns where the payload goes. */
  #begin(kind: FrameKind, id: number, length: number): number {
    const at = this.#length;
    const end = at + HEADER_BYTES + length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#view.setUint32(at, kind, true);
    this.#view.setUint32(at + 4, id, true);
    this.#view.setUint32(at + 8, length, true);
    this.#length = end;
    if (!this.#isPlanned) {
      this.#isPlanned = true;
      this.#clock.defer(() => {
        this.#isPlanned = false;
        this.flush();
      });
    }
    return at + HEADER_BYTES;
  }

  #grow(needed: number): void {
    const before = this.#bytes.subarray(0, this.#length);
    this.#setMemory(new Uint8Array(2 * needed));
    this.#bytes.set(before);
  }

  #setMemory(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Takes a message: its payload is the bytes from `start` to `end`, which are the receiver's own. */
export type FrameReceiver = (
  kind: FrameKind,
  id: number,
  bytes: Uint8Array,
  start: number,
  end: number,
) => void;

/** Calls `receive` for every message that comes, in the order in which they were sent. */
export function receiveFrames(port: ThreadPort, receive: FrameReceiver): void {
  port.on("message", (message) => {
    const { bytes, length } = message as { bytes: Uint8Array; length: number };
    const view = new DataView(bytes.buffer, bytes.byteOffset, length);
    for (let at = 0; at < length;) {
      const start = at + HEADER_BYTES;
      const end = start + view.getUint32(at + 8, true);
      const kind = view.getUint32(at, true) as FrameKind;
      receive(kind, view.getUint32(at + 4, true), bytes, start, end);
      at = end;
    }
  });
}

/** The number at `at` of a payload. */
export function numberAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}
