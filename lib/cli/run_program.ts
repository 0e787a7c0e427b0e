/** Parses words and runs the command that they name. */

import { type Command, CommanderError } from "commander";
import { usualOption } from "./nearest_command.ts";

/** The words cannot be taken as they are. */
export class UsageError extends CommanderError {
  /** What to run to be told which can. */
  readonly help: string;

  constructor({ exitCode, code }: CommanderError, message: string, help: string) {
    super(exitCode, code, message);
    this.help = help;
  }
}

/** Throws what the command throws, and a {@link UsageError} for words that are wrong. */
export async function runProgram(program: Command, words: readonly string[]): Promise<void> {
  for (const command of [program, ...program.commands]) {
    command.exitOverride((error) => {
      if (error.exitCode === 0) throw error;
      const help = command === program ? "cairn help" : `cairn help ${command.name()}`;
      throw new UsageError(error, withUsualOption(error, program, command), help);
    });
  }
  await program.parseAsync(words, { from: "user" });
}

/** Options that other tools call by other names are not near enough to be suggested. */
function withUsualOption(
  { code, message }: CommanderError,
  program: Command,
  command: Command,
): string {
  const given = /'(.*)'/.exec(message)?.[1];
  if (code !== "commander.unknownOption" || given === undefined) return message;
  const known = [...command.options, ...program.options].filter(({ hidden }) => !hidden)
    .map(({ long }) => long ?? "");
  const meant = usualOption(given, known);
  if (meant === undefined) return message;
  return `${message.replace(/\s*\(Did you mean .*\?\)/s, "")} (Did you mean ${meant}?)`;
}
