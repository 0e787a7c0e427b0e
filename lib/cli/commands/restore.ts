import { createReadStream, statSync } from "node:fs";
import process from "node:process";
import { isatty } from "node:tty";
import type { Command } from "commander";
import { type CopyOptions, type CopyReport, KvStore } from "../../mod.ts";
import { parseNonEmpty } from "../argument.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { systemReason } from "../system_reason.ts";
import { escapeControls } from "../terminal_text.ts";
import { copyDirectory } from "../transfer/directory_copy.ts";
import { Progress } from "../transfer/progress.ts";
import { sizeOf } from "./backup.ts";

const STDIN = 0;

/** `cairn restore SRC` */
export function addRestore(program: Command, stdout: Output): void {
  program.command("restore")
    .description("make a store of a backup in the directory of --db; overwrites nothing")
    .argument(
      "<src>",
      "a backup: its directory, its tar archive, or - for an archive",
      parseNonEmpty,
    )
    .addHelpText("after", HELP_TAIL)
    .action(async (source: string, _options, command: Command) => {
      const { db, json } = command.optsWithGlobals<GlobalOptions>();
      const progress = new Progress("restore", "bytes");
      const report = await restore(source, db, progress).finally(() => progress.clear());
      const { elapsedMs } = progress;
      stdout.writeLine(
        json
          ? JSON.stringify({ ...report, destination: db, durationMs: Math.round(elapsedMs) })
          : escapeControls(
            `Restored version ${report.version} into ${db}: ${sizeOf(report, elapsedMs)}, verified`,
          ),
      );
      stdout.flush();
    });
}

async function restore(
  source: string,
  directory: string,
  progress: Progress,
): Promise<CopyReport> {
  if (source === "-") {
    if (isatty(STDIN)) {
      throw new CliError(
        EXIT_CODE.usage,
        "an archive is nothing to be typed: pipe it in, or name its file",
      );
    }
    return await unpack(process.stdin, "standard input", undefined, directory, progress);
  }
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new CliError(EXIT_CODE.io, `there is no backup in ${source}: check the path`);
  }
  if (!stat.isDirectory()) {
    const size = stat.isFile() ? stat.size : undefined;
    return await unpack(createReadStream(source), source, size, directory, progress);
  }
  const copy = (options: CopyOptions) => KvStore.restore(source, directory, options);
  return await copyDirectory(source, directory, copy, progress.copyObserver);
}

async function unpack(
  archive: AsyncIterable<Uint8Array>,
  name: string,
  size: number | undefined,
  directory: string,
  progress: Progress,
): Promise<CopyReport> {
  const { unpackBackup } = await import("../backup_archive.ts");
  let bytes = 0;
  const onPiece = (length: number) => {
    bytes += length;
    progress.update(size && bytes / size, bytes);
  };
  return await unpackBackup(read(archive, name, onPiece), directory);
}

async function* read(
  stream: AsyncIterable<Uint8Array>,
  name: string,
  onPiece: (length: number) => void,
): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  while (true) {
    let next: IteratorResult<Uint8Array>;
    try {
      next = await iterator.next();
    } catch (error) {
      throw new CliError(EXIT_CODE.io, `cannot read ${name}: ${systemReason(error)}`, {
        cause: error,
      });
    }
    if (next.done) return;
    onPiece(next.value.length);
    yield next.value;
  }
}

const HELP_TAIL = `
The backup is checked before anything is written, and the store when it is. Where there
is a store already, stop its server and move its directory out of the way first.

Examples:
  cairn restore /mnt/backups/2026-01-31 --db restored
  curl -sS http://127.0.0.1:8620/v1/backup | cairn restore - --db restored`;
