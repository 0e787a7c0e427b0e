/** A file or pipe that is imported, read without blocking, so that Ctrl-C is heard meanwhile. */

import { closeSync, fstatSync, openSync, read } from "node:fs";
import { systemClock } from "../../clock.ts";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { Interruption } from "../interruption.ts";
import { systemReason } from "../system_reason.ts";
import { quoted } from "../terminal_text.ts";

const STDIN = 0;
const CHUNK_BYTES = 1 << 20;
const RETRY_MS = 5;

/** An open file, or standard input. */
export class SourceFile implements Disposable {
  /** What it is called in messages. */
  readonly name: string;
  /** Its length; undefined if that is not known. */
  readonly size: number | undefined;
  /** Bytes read so far. */
  position = 0;
  readonly #fd: number;

  /** Opens `path`, or with `-` standard input. */
  constructor(path: string) {
    this.name = path === "-" ? "standard input" : quoted(path);
    try {
      this.#fd = path === "-" ? STDIN : openSync(path, "r");
    } catch (error) {
      throw this.#failure(error);
    }
    const stat = fstatSync(this.#fd);
    if (stat.isDirectory()) {
      throw new CliError(EXIT_CODE.io, `cannot read ${this.name}: it is a directory`);
    }
    this.size = stat.isFile() ? stat.size : undefined;
  }

  /** Goes through it. A chunk is valid until the next is asked for. */
  async *chunks(interruption: Interruption): AsyncGenerator<Uint8Array, void> {
    const buffer = new Uint8Array(CHUNK_BYTES);
    while (true) {
      const length = await Promise.race([this.#read(buffer), interruption.requested]);
      interruption.check();
      if (length === 0) return;
      this.position += length;
      yield buffer.subarray(0, length);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== STDIN) closeSync(this.#fd);
  }

  #read(buffer: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const attempt = () =>
        read(this.#fd, buffer, 0, buffer.length, null, (error, length) => {
          if (error === null) return resolve(length);
          if (error.code === "EOF") return resolve(0);
          if (error.code !== "EAGAIN" && error.code !== "EINTR") {
            return reject(this.#failure(error));
          }
          systemClock.schedule(RETRY_MS, attempt);
        });
      attempt();
    });
  }

  #failure(error: unknown): CliError {
    return new CliError(EXIT_CODE.io, `cannot read ${this.name}: ${systemReason(error)}`, {
      cause: error,
    });
  }
}
