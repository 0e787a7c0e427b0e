import type { Command } from "commander";
import { ReportedError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { CreateShellProgram } from "../shell/shell.ts";
import { addTargetOptions } from "../target/choose_target.ts";

/** `cairn shell` */
export function addShell(program: Command, createProgram: CreateShellProgram): void {
  addTargetOptions(program.command("shell"))
    .description("run commands line by line on one store that stays open")
    .option("--keep-going", "in a script, go on behind a command that fails")
    .addHelpText("after", HELP_TAIL)
    .action(async (_options, command: Command) => {
      // Loaded here, so that the other commands start without it.
      const { runShell } = await import("../shell/shell.ts");
      const exitCode = await runShell(command, createProgram);
      if (exitCode !== EXIT_CODE.ok) throw new ReportedError(exitCode);
    });
}

const HELP_TAIL = `
Lines are the commands of 'cairn' without its name, quoted as in other shells: "..." '...' \\
On a terminal, Tab completes commands, options and keys, the arrow keys bring back earlier
lines, Ctrl-C stops a command or drops a line, and Ctrl-D or 'exit' leaves. Lines are kept in
$XDG_STATE_HOME/cairn/history (~/.local/state without it), but for those that begin with a
blank or look as if they held a secret.

From a file or pipe, lines are run without a prompt, up to the first that fails, whose exit
code is that of the shell. Lines that begin with # are comments.

Examples:
  cairn shell
  cairn shell --url http://127.0.0.1:8620
  cairn shell --keep-going < commands.txt
  printf 'set a 1\\nset b 2\\nlist\\n' | cairn shell`;
