/** How far an import has come, in a file, so that the same command goes on after anything. */

import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { CliError } from "../cli_error.ts";
import { writeFully } from "../descriptor.ts";
import { renameDurably } from "../durable_name.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { systemReason } from "../system_reason.ts";
import { quoted } from "../terminal_text.ts";

/** The file that `--resume` names. */
export class Checkpoint {
  readonly #path: string;
  /** What is imported into what: records are counted for this pair only. */
  readonly #identity: { source: string; place: string };

  /** `source` is a path or `-`, `place` that of the target. */
  constructor(path: string, source: string, place: string) {
    this.#path = path;
    this.#identity = { source: source === "-" ? source : resolve(source), place };
  }

  /** Records that need not be imported again. */
  load(): number {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return 0;
      throw this.#failure("read", error);
    }
    const { records, source, place } = this.#parse(text);
    if (source !== this.#identity.source || place !== this.#identity.place) {
      throw new CliError(
        EXIT_CODE.usage,
        `${this.#path} is of another import (${quoted(source)} into the store ${place}): name ` +
          "another file, or remove it",
      );
    }
    return records;
  }

  /** Notes that so many records are imported, durably. */
  save(records: number): void {
    const temporary = `${this.#path}.tmp`;
    try {
      const fd = openSync(temporary, "w", 0o600);
      try {
        const document = { records, ...this.#identity };
        writeFully(fd, new TextEncoder().encode(`${JSON.stringify(document)}\n`), temporary);
        renameDurably(fd, temporary, this.#path);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw error instanceof CliError ? error : this.#failure("write", error);
    }
  }

  /** There is nothing left to go on with. */
  remove(): void {
    rmSync(this.#path, { force: true });
  }

  #parse(text: string): { records: number; source: string; place: string } {
    try {
      const { records, source, place } = JSON.parse(text);
      if (Number.isSafeInteger(records) && records >= 0 && typeof source === "string") {
        return { records, source, place: String(place) };
      }
    } catch {
      // Said below.
    }
    throw new CliError(
      EXIT_CODE.usage,
      `${this.#path} is not what --resume has written: name another file`,
    );
  }

  #failure(what: string, error: unknown): CliError {
    return new CliError(EXIT_CODE.io, `cannot ${what} ${this.#path}: ${systemReason(error)}`, {
      cause: error,
    });
  }
}
