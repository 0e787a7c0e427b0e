/**
 * Unpacks a backup that comes as a tar archive, durably: every file is synced before ACTIVE, which
 * comes last and makes a store of them, gets its name. Names and kinds of files are taken from
 * nobody's word: what is not part of a store is refused.
 */

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { createTarDecoder } from "modern-tar";
import { type CopyReport, KvStore } from "../mod.ts";
import { CliError } from "./cli_error.ts";
import { writeFully } from "./descriptor.ts";
import { syncDirectory } from "./durable_name.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { onInterrupt } from "./interruption.ts";
import { systemReason } from "./system_reason.ts";
import { quoted } from "./terminal_text.ts";

const ACTIVE = "wal/ACTIVE";
const UNFINISHED_SUFFIX = ".unfinished";
/** What a store consists of, below the one directory of the archive. */
const FILE = /^cairn-backup-(\d+)\/(wal\/(?:ACTIVE|NODE_ID|\d{10}\.(?:log|hint)))$/;
const DIRECTORY = /^cairn-backup-\d+\/(?:wal\/)?$/;

/**
 * Unpacks `archive` into `directory`, which must not exist or be empty, and verifies what is there
 * then. If it fails, or is interrupted, what was written is removed. `onLogBytes` is told how many
 * bytes of segments are written so far.
 */
export async function unpackBackup(
  archive: AsyncIterable<Uint8Array>,
  directory: string,
  onLogBytes?: (bytes: number) => void,
): Promise<CopyReport> {
  const unpacking = new Unpacking(directory, onLogBytes);
  const forget = onInterrupt(() => unpacking.undo());
  try {
    const report = await unpacking.run(archive);
    await assertSound(directory);
    return report;
  } catch (error) {
    unpacking.undo();
    throw error;
  } finally {
    forget();
  }
}

class Unpacking {
  readonly #directory: string;
  /** What there was not before, in the order in which it was made. */
  readonly #made: string[] = [];
  readonly #onLogBytes: ((bytes: number) => void) | undefined;
  #logBytes = 0;

  constructor(directory: string, onLogBytes: ((bytes: number) => void) | undefined) {
    this.#directory = directory;
    this.#onLogBytes = onLogBytes;
    assertEmpty(directory);
  }

  async run(archive: AsyncIterable<Uint8Array>): Promise<CopyReport> {
    const report = { version: 0, files: 0, bytes: 0 };
    const entries = readableOf(archive).pipeThrough(createTarDecoder({ strict: true }));
    try {
      for await (const { header, body } of entries as unknown as AsyncIterable<TarEntry>) {
        if (header.type === "directory" && DIRECTORY.test(header.name)) {
          await body.cancel();
          continue;
        }
        const [, version, name] = FILE.exec(header.name) ?? [];
        if (name === undefined || (header.type ?? "file") !== "file") {
          throw new CliError(
            EXIT_CODE.corruption,
            `the archive is no backup: it holds ${quoted(header.name)}; take another one`,
          );
        }
        this.#makeDirectories();
        report.version = Number(version);
        report.bytes += await this.#write(name, body);
        report.files++;
      }
    } catch (error) {
      throw explain(error);
    }
    this.#finish();
    return report;
  }

  /** Removes what was made. */
  undo(): void {
    for (const path of this.#made.reverse()) {
      try {
        if (statSync(path).isDirectory()) rmdirSync(path);
        else rmSync(path);
      } catch {
        // The error that led to this matters more.
      }
    }
    this.#made.length = 0;
  }

  #makeDirectories(): void {
    for (const path of [this.#directory, join(this.#directory, "wal")]) {
      if (statSync(path, { throwIfNoEntry: false }) !== undefined) continue;
      this.#attempt(path, () => mkdirSync(path, { mode: 0o700 }));
      this.#made.push(path);
    }
  }

  async #write(name: string, body: ReadableStream<Uint8Array>): Promise<number> {
    const path = this.#pathOf(name === ACTIVE ? name + UNFINISHED_SUFFIX : name);
    const fd = this.#attempt(path, () => openSync(path, "wx", 0o600));
    this.#made.push(path);
    let length = 0;
    try {
      for await (const piece of body) {
        writeFully(fd, piece, path);
        length += piece.length;
        if (!name.endsWith(".log")) continue;
        this.#logBytes += piece.length;
        this.#onLogBytes?.(this.#logBytes);
      }
      this.#attempt(path, () => fsyncSync(fd));
    } finally {
      closeSync(fd);
    }
    return length;
  }

  /** Makes a store of the files. */
  #finish(): void {
    const unfinished = this.#pathOf(ACTIVE + UNFINISHED_SUFFIX);
    if (!this.#made.includes(unfinished)) throw cutShort();
    const active = this.#pathOf(ACTIVE);
    this.#sync(dirname(active));
    this.#made.push(active);
    this.#attempt(active, () => renameSync(unfinished, active));
    this.#sync(dirname(active));
    this.#sync(this.#directory);
    this.#sync(dirname(this.#directory));
  }

  #sync(directory: string): void {
    this.#attempt(directory, () => syncDirectory(directory));
  }

  #pathOf(name: string): string {
    return join(this.#directory, ...name.split("/"));
  }

  #attempt<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new CliError(EXIT_CODE.io, `cannot write ${path}: ${systemReason(error)}`, {
        cause: error,
      });
    }
  }
}

interface TarEntry {
  header: { name: string; type?: string };
  body: ReadableStream<Uint8Array>;
}

/** Refuses a directory that holds anything. */
function assertEmpty(directory: string): void {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) return;
  const problem = !stat.isDirectory()
    ? "it is not a directory; choose another path"
    : readdirSync(directory).length > 0
    ? "it is not empty; choose a directory that does not exist"
    : undefined;
  if (problem === undefined) return;
  throw new CliError(EXIT_CODE.usage, `cannot make a store in ${directory}: ${problem}`);
}

async function assertSound(directory: string): Promise<void> {
  const { ok, problems: [problem] } = await KvStore.verify(directory);
  if (ok || problem === undefined) return;
  throw new CliError(
    EXIT_CODE.corruption,
    `the backup is damaged: ${problem.path} at byte ${problem.offset}: ${problem.message}; ` +
      "nothing of it was kept, take another one",
  );
}

function explain(error: unknown): unknown {
  if (error instanceof CliError) return error;
  // What is left is the archive.
  return cutShort(error);
}

function cutShort(cause?: unknown): CliError {
  return new CliError(
    EXIT_CODE.corruption,
    "the archive is no backup, or was cut short; nothing of it was kept, take another one",
    { cause },
  );
}

function readableOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(error);
      }
    },
    async cancel() {
      await iterator.return?.();
    },
  }, { highWaterMark: 0 });
}
