/**
 * What a thread that has the sockets of HTTP clients, and the thread that has the store, tell each
 * other of requests. All messages of one turn of the event loop go together.
 */

import type { Clock } from "../../../clock.ts";

/** A request; its body follows. */
export interface RequestMessage {
  kind: "request";
  id: number;
  method: string;
  url: string;
  headers: [string, string][];
  /** Short: it follows in one piece. Long: piece by piece, when asked for. */
  body: "none" | "short" | "long";
  /** Where the client is; undefined if that is not known. */
  address: string | undefined;
}

/** To the thread with the store. */
export type RequestPart =
  | RequestMessage
  /** A piece of the body; undefined if it broke off. */
  | { kind: "body"; id: number; bytes: Uint8Array | undefined; isLast: boolean }
  /** The next piece of the answer's body may come. */
  | { kind: "more"; id: number }
  /** The client has gone. */
  | { kind: "gone"; id: number };

/** An answer. */
export interface ResponseMessage {
  kind: "response";
  id: number;
  status: number;
  headers: [string, string][];
  /** Its body if it is in one piece; with `isStream` it follows. */
  bytes: Uint8Array | undefined;
  isStream: boolean;
}

/** From the thread with the store. */
export type ResponsePart =
  | ResponseMessage
  /** A piece of the body; with `isBroken` there is to be none any more. */
  | {
    kind: "piece";
    id: number;
    bytes: Uint8Array | undefined;
    isLast: boolean;
    isBroken?: boolean;
  }
  /** The next piece of the request's body may come; with `isEnough` nobody wants the rest. */
  | { kind: "moreBody"; id: number; isEnough: boolean };

/** The end of a channel to another thread: a `MessagePort`, or what a test puts in its place. */
export interface HttpThreadPort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/** Both directions of a channel. */
export class MessageChannelEnd<Out, In> {
  readonly #port: HttpThreadPort;
  readonly #clock: Clock;
  #waiting: Out[] = [];
  #transfer: ArrayBuffer[] = [];

  constructor(port: HttpThreadPort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** Calls `receive` for every message that comes. */
  receive(receive: (message: In) => void): void {
    this.#port.on("message", (messages) => {
      for (const message of messages as In[]) receive(message);
    });
  }

  /**
   * Sends a message at the end of this turn. Its bytes are copied now, and the copy handed over: who
   * made them may well use them again, as streams do that end with the same zeros every time.
   */
  send(message: Out & { bytes?: Uint8Array | undefined }): void {
    if (message.bytes !== undefined) {
      message.bytes = message.bytes.slice();
      this.#transfer.push(message.bytes.buffer as ArrayBuffer);
    }
    if (this.#waiting.push(message) > 1) return;
    this.#clock.defer(() => {
      const messages = this.#waiting;
      const transfer = this.#transfer;
      this.#waiting = [];
      this.#transfer = [];
      this.#port.postMessage(messages, transfer);
    });
  }
}
