/**
 * Standard input and output as plain descriptors. Blocking calls keep memory flat (nothing is
 * queued when the reader is slow), and each loops: a pipe takes and gives what it has room for.
 */

import { readSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { CliError, OutputClosedError } from "./cli_error.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { systemReason } from "./system_reason.ts";

const READ_CHUNK_BYTES = 64 << 10;
const GATHER_BYTES = 64 << 10;
const RETRY_MILLIS = 2;

/** Collects output and passes it on in large pieces. Call {@link Output.flush} at the end. */
export class Output {
  readonly #fd: number;
  readonly #name: string;
  readonly #buffer = new Uint8Array(GATHER_BYTES);
  readonly #encoder = new TextEncoder();
  #length = 0;

  /** Writes to the open descriptor `fd`, called `name` in errors. */
  constructor(fd: number, name = "the output") {
    this.#fd = fd;
    this.#name = name;
  }

  /** Whether a person is looking. */
  get isTerminal(): boolean {
    return isatty(this.#fd);
  }

  /** Adds bytes, or text as UTF-8. */
  write(chunk: Uint8Array | string): void {
    const bytes = typeof chunk === "string" ? this.#encoder.encode(chunk) : chunk;
    if (this.#length + bytes.length > GATHER_BYTES) this.flush();
    if (bytes.length > GATHER_BYTES) return writeFully(this.#fd, bytes, this.#name);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Adds a line. */
  writeLine(line: string): void {
    this.write(`${line}\n`);
  }

  /** Hands everything to the operating system. */
  flush(): void {
    const length = this.#length;
    this.#length = 0;
    if (length > 0) writeFully(this.#fd, this.#buffer.subarray(0, length), this.#name);
  }
}

/** Writes all of `bytes`, however little the other end takes at a time; `what` is for errors. */
export function writeFully(fd: number, bytes: Uint8Array, what = "the output"): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done, bytes.length - done);
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === "EPIPE" || code === "ECONNRESET") throw new OutputClosedError();
      if (code !== "EAGAIN" && code !== "EINTR") {
        throw new CliError(
          EXIT_CODE.io,
          `cannot write ${what}: ${systemReason(error)}`,
          { cause: error },
        );
      }
      pause();
    }
  }
}

/** Reads a descriptor to its end; gives up as soon as there are more than `bytesMax` bytes. */
export function readFully(fd: number, bytesMax: number, what: string): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  while (true) {
    const chunk = new Uint8Array(READ_CHUNK_BYTES);
    const length = readOnce(fd, chunk, what);
    if (length === 0) break;
    chunks.push(chunk.subarray(0, length));
    total += length;
    if (total > bytesMax) {
      throw new CliError(EXIT_CODE.usage, `${what} is longer than ${bytesMax} bytes, the maximum`);
    }
  }
  const all = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

function readOnce(fd: number, buffer: Uint8Array, what: string): number {
  while (true) {
    try {
      return readSync(fd, buffer, 0, buffer.length, null);
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === "EOF") return 0; // how Windows reports the end of a pipe
      if (code !== "EAGAIN" && code !== "EINTR") {
        throw new CliError(EXIT_CODE.io, `cannot read ${what}: ${systemReason(error)}`, {
          cause: error,
        });
      }
      pause();
    }
  }
}

/** Another process may have made a shared descriptor non-blocking; then there is only to wait. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MILLIS);
}
