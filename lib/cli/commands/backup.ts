import type { Command } from "commander";
import type { CopyReport } from "../../mod.ts";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { parseNonEmpty } from "../argument.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import { escapeControls } from "../terminal_text.ts";
import { formatBytes, formatQuantity } from "../text_format.ts";

/** `cairn backup DEST` */
export function addBackup(program: Command, stdout: Output): void {
  addTargetOptions(program.command("backup"))
    .description("copy the store as of one version into a new directory, while it is in use")
    .argument("<dest>", "a directory that does not exist, or is empty", parseNonEmpty)
    .addHelpText("after", HELP_TAIL)
    .action(async (directory: string, _options, command: Command) => {
      await using target = await openTarget(command, "read");
      const report = await target.backup(directory);
      const { json } = command.optsWithGlobals<GlobalOptions>();
      stdout.writeLine(
        json ? JSON.stringify({ ...report, destination: directory }) : escapeControls(
          `Backed up version ${report.version} into ${directory}: ${sizeOf(report)}`,
        ),
      );
      stdout.flush();
    });
}

/** `5 files, 1.2 MiB` */
export function sizeOf({ files, bytes }: CopyReport): string {
  return `${formatQuantity(files, "file")}, ${formatBytes(bytes)}`;
}

const HELP_TAIL = `
The copy is a store: it can be opened, listed and verified, and restored from. Every
frame is checked on the way, and all of it is on the disk when the command ends.

Examples:
  cairn backup /mnt/backups/$(date +%F)
  cairn backup copy --url http://127.0.0.1:8620`;
