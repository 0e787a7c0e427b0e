import type { Command } from "commander";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { nearestOf, usualName } from "../nearest_command.ts";
import { quoted } from "../terminal_text.ts";

/** `cairn help [COMMAND]` */
export function addHelp(program: Command): void {
  program.command("help").description("explain a command").argument("[command]")
    .addHelpText("after", "\nExamples:\n  cairn help\n  cairn help import")
    .action((name: string | undefined) => {
      if (name === undefined) return program.outputHelp();
      const command = program.commands.find((candidate) => candidate.name() === name);
      if (command === undefined) {
        throw new CliError(
          EXIT_CODE.usage,
          `there is no command ${quoted(name)}${suggest(program, name)}; 'cairn help' lists them`,
        );
      }
      command.outputHelp();
    });
}

function suggest(program: Command, name: string): string {
  const meant = usualName(name) ?? nearestOf(name, program.commands.map((each) => each.name()));
  return meant === undefined ? "" : ` (Did you mean ${meant}?)`;
}
