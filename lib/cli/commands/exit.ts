import type { Command } from "commander";

/** `exit`, of a shell. */
export function addExit(program: Command, leave: () => void): void {
  program.command("exit").alias("quit").description("leave the shell")
    .addHelpText("after", "\nExamples:\n  exit\n  quit")
    .action(leave);
}
