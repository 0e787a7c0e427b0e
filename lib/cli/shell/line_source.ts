/** Where the lines of a shell come from: a person who edits them, or a file or pipe. */

import { read, readSync } from "node:fs";
import process from "node:process";
import { systemClock } from "../../clock.ts";
import { CliError } from "../cli_error.ts";
import { writeFully } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { systemReason } from "../system_reason.ts";

const STDIN = 0;
const CHUNK_BYTES = 64 << 10;
const RETRY_MS = 5;
/** A line may hold a value of the greatest length with every byte of it escaped. */
const LINE_BYTES_MAX = 160 << 20;
const LINE_END = 0x0a;
const KEY_BYTES_MAX = 256;

/** What {@link LineSource.read} returns for a line that the person gave up. */
export const DROPPED: unique symbol = Symbol("dropped");

/** Lines, one after the other. */
export interface LineSource extends Disposable {
  /** The next line without its end; undefined if there is none any more. */
  read(prompt: string): Promise<string | undefined | typeof DROPPED>;
}

/** Some bytes of standard input; none at its end. */
export function readInput(): Promise<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  return new Promise((resolve, reject) => {
    const attempt = () =>
      read(STDIN, buffer, 0, buffer.length, null, (error, length) => {
        if (error === null) return resolve(buffer.subarray(0, length));
        // A terminal that is gone answers with EIO.
        if (error.code === "EOF" || error.code === "EIO") return resolve(new Uint8Array());
        if (error.code === "EAGAIN" || error.code === "EINTR") {
          systemClock.schedule(RETRY_MS, attempt);
          return;
        }
        reject(
          new CliError(EXIT_CODE.io, `cannot read standard input: ${systemReason(error)}`, {
            cause: error,
          }),
        );
      });
    attempt();
  });
}

/** The keys that are pressed first, of a terminal in raw mode; waits for them. */
export function readKey(): Uint8Array {
  const keys = new Uint8Array(KEY_BYTES_MAX);
  while (true) {
    try {
      return keys.subarray(0, readSync(STDIN, keys));
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== "EAGAIN" && code !== "EINTR") return new Uint8Array();
    }
  }
}

/** Lines as they come, without editing; with a prompt where `promptFd` says where to. */
export class PlainLines implements LineSource {
  readonly #promptFd: number | undefined;
  readonly #readMore: () => Promise<Uint8Array>;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isFirst = true;

  /** Reads standard input, unless a test says otherwise. */
  constructor(promptFd?: number, readMore: () => Promise<Uint8Array> = readInput) {
    this.#promptFd = promptFd;
    this.#readMore = readMore;
  }

  async read(prompt: string): Promise<string | undefined> {
    const fd = this.#promptFd;
    if (fd === undefined) return await this.#readLine();
    const show = () => writeFully(fd, new TextEncoder().encode(prompt));
    // The terminal itself has dropped the line.
    const onInterrupt = () => {
      writeFully(fd, new Uint8Array([LINE_END]));
      show();
    };
    process.on("SIGINT", onInterrupt);
    try {
      show();
      return await this.#readLine();
    } finally {
      process.off("SIGINT", onInterrupt);
    }
  }

  [Symbol.dispose](): void {}

  async #readLine(): Promise<string | undefined> {
    let next = this.#pieces.pop() ?? await this.#readMore();
    while (next.length > 0) {
      const end = next.indexOf(LINE_END);
      if (end >= 0) {
        this.#take(next.subarray(0, end));
        try {
          return this.#finish();
        } finally {
          if (end + 1 < next.length) this.#pieces.push(next.subarray(end + 1));
        }
      }
      this.#take(next);
      next = await this.#readMore();
    }
    return this.#bytes === 0 ? undefined : this.#finish();
  }

  #take(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes > LINE_BYTES_MAX) this.#pieces = [];
    else this.#pieces.push(piece);
  }

  #finish(): string {
    if (this.#bytes > LINE_BYTES_MAX) {
      this.#bytes = 0;
      throw new CliError(
        EXIT_CODE.usage,
        `the line is longer than ${LINE_BYTES_MAX} bytes: is this a file of commands?`,
      );
    }
    const bytes = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, offset);
      offset += piece.length;
    }
    this.#pieces = [];
    this.#bytes = 0;
    // The mark that some editors put at the beginning of a file is no part of it.
    const ignoreBOM = !this.#isFirst;
    this.#isFirst = false;
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM }).decode(bytes);
    } catch {
      throw new CliError(
        EXIT_CODE.usage,
        "the line is not valid UTF-8; keys must be, and values of other bytes can be imported",
      );
    }
  }
}
