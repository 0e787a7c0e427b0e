import type { Command } from "commander";
import type { CopyReport } from "../../mod.ts";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { parseNonEmpty } from "../argument.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import { escapeControls } from "../terminal_text.ts";
import { formatBytes, formatMillis, formatQuantity } from "../text_format.ts";
import { Progress, rateOf } from "../transfer/progress.ts";

/** `cairn backup DEST` */
export function addBackup(program: Command, stdout: Output): void {
  addTargetOptions(program.command("backup"))
    .description("copy the store as of one version into a new directory, while it is in use")
    .argument("<dest>", "a directory that does not exist, or is empty", parseNonEmpty)
    .addHelpText("after", HELP_TAIL)
    .action(async (directory: string, _options, command: Command) => {
      await using target = await openTarget(command, "read");
      const progress = new Progress("backup", "bytes");
      const report = await target.backup(directory, progress.copyObserver)
        .finally(() => progress.clear());
      const { elapsedMs } = progress;
      const { json } = command.optsWithGlobals<GlobalOptions>();
      stdout.writeLine(
        json
          ? JSON.stringify({
            ...report,
            destination: directory,
            durationMs: Math.round(elapsedMs),
          })
          : escapeControls(
            `Backed up version ${report.version} into ${directory}: ${sizeOf(report, elapsedMs)}`,
          ),
      );
      stdout.flush();
    });
}

/** `5 files, 1.2 MiB in 24 ms (50.0 MiB/s)` */
export function sizeOf({ files, bytes }: CopyReport, elapsedMs: number): string {
  return `${formatQuantity(files, "file")}, ${formatBytes(bytes)} in ${formatMillis(elapsedMs)} ` +
    `(${formatBytes(rateOf(bytes, elapsedMs))}/s)`;
}

const HELP_TAIL = `
The copy is a store: it can be opened, listed and verified, and restored from. Every
frame is checked on the way, and all of it is on the disk when the command ends.

Examples:
  cairn backup /mnt/backups/$(date +%F)
  cairn backup copy --url http://127.0.0.1:8620`;
