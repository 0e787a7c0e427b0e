/** A client on a real socket that sends bytes and counts what comes back. */

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { bytesOf } from "./fed_parser.ts";

const TIMEOUT_MS = 60_000;

/** One connection. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  /** Everything that came, in Latin-1. */
  text = "";
  /** Whether the connection is over. */
  isClosed = false;
  #changed: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      this.text += Buffer.from(chunk).toString("latin1");
      this.#changed();
    });
    socket.on("error", () => {}); // it is closed after that
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      this.isClosed = true;
      this.#changed();
    });
  }

  /** Connects to a port of this machine. */
  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const client = new RawClient(socket);
    await once(socket, "connect");
    return client;
  }

  /** Sends bytes, in Latin-1. */
  send(input: string | Uint8Array): void {
    this.socket.write(typeof input === "string" ? bytesOf(input) : input);
  }

  /** Waits until this holds. */
  async until(condition: (text: string) => boolean): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`still waiting, with ${JSON.stringify(this.text.slice(0, 200))}`)),
        TIMEOUT_MS,
      );
    });
    try {
      while (!condition(this.text)) {
        await Promise.race([new Promise<void>((resolve) => this.#changed = resolve), late]);
      }
    } finally {
      clearTimeout(timer);
    }
    return this.text;
  }

  /** Sends bytes and waits until so much came. */
  async ask(input: string, answer: string): Promise<string> {
    const before = this.text.length;
    this.send(input);
    await this.until((text) => text.length >= before + answer.length || this.isClosed);
    return this.text.slice(before);
  }

  /** Waits until the connection is over, and returns everything. */
  async closed(): Promise<string> {
    return await this.until(() => this.isClosed);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** As `netcat -N` does it: sends everything, says so, and returns what came until the end. */
export async function netcat(port: number, input: string | Uint8Array): Promise<string> {
  using client = await RawClient.connect(port);
  client.send(input);
  client.socket.end();
  return await client.closed();
}
