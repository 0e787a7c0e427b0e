import type { Command } from "commander";
import { KvStore, type VerifyReport } from "../../mod.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { unlessInterrupted } from "../interruption.ts";
import { requireDirectory } from "../open_store.ts";
import { escapeControls } from "../terminal_text.ts";
import { formatBytes, formatQuantity } from "../text_format.ts";

/** `cairn verify` */
export function addVerify(program: Command, stdout: Output): void {
  program.command("verify")
    .description("read and check every byte of the store; changes nothing; exits with 4 on damage")
    .addHelpText("after", HELP_TAIL)
    .action(async (_options, command: Command) => {
      const { db, json } = command.optsWithGlobals<GlobalOptions>();
      requireDirectory(db);
      const report = await unlessInterrupted(KvStore.verify(db));
      if (json) stdout.writeLine(JSON.stringify(report));
      else {
        for (const { path, offset, message } of report.problems) {
          stdout.writeLine(escapeControls(`${path} at byte ${offset}: ${message}`));
        }
        if (report.torn !== undefined) {
          const { path, offset } = report.torn;
          stdout.writeLine(escapeControls(
            `${path} at byte ${offset}: ${formatBytes(report.tornBytes)} of a write that was cut ` +
              "short; they were never acknowledged, and go at the next opening",
          ));
        }
        if (report.ok) {
          stdout.writeLine(
            `Sound: ${formatQuantity(report.records, "record")} in ` +
              `${formatQuantity(report.files, "file")}, ${formatBytes(report.bytes)} checked`,
          );
        }
      }
      stdout.flush();
      if (report.ok) return;
      throw new CliError(
        EXIT_CODE.corruption,
        `${formatQuantity(report.problems.length, "problem")} in ${db}: ${adviceOn(report)}`,
      );
    });
}

function adviceOn({ problems }: VerifyReport): string {
  if (problems.some(({ kind }) => kind === "unfinished")) {
    return "it is a copy that was never completed, and no store; if no backup, restore or repair is " +
      "writing it now, remove the directory and make it again";
  }
  if (problems.every(({ kind }) => kind === "hint")) {
    return "nothing is lost and nothing needs to be done; the next opening for writing reads the " +
      "segments instead, and these files are written anew";
  }
  return "keep a copy of the directory before doing anything to it; restore a backup " +
    "(KvStore.restore, or copy its directory), or salvage what can be read with 'cairn repair'";
}

const HELP_TAIL = `
It works beside whatever process has the store open, as of that moment.

Examples:
  cairn verify --db shop
  cairn verify --db /mnt/backups/2026-01-31 --json`;
