/** Parses words and runs the command that they name. */

import { type Command, CommanderError } from "commander";
import { usualOption } from "./nearest_command.ts";

/** Throws what the command throws, and for words that are wrong a CommanderError. */
export async function runProgram(program: Command, words: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    throw error instanceof CommanderError ? withUsualOption(error, program, words) : error;
  }
}

/** Options that other tools call by other names are not near enough to be suggested. */
function withUsualOption(
  error: CommanderError,
  program: Command,
  words: readonly string[],
): CommanderError {
  const { code, exitCode, message } = error;
  const given = /'(.*)'/.exec(message)?.[1];
  if (code !== "commander.unknownOption" || given === undefined) return error;
  const command = program.commands.find((each) => words.includes(each.name())) ?? program;
  const known = [...command.options, ...program.options].filter(({ hidden }) => !hidden)
    .map(({ long }) => long ?? "");
  const meant = usualOption(given, known);
  if (meant === undefined) return error;
  const plain = message.replace(/\s*\(Did you mean .*\?\)/s, "");
  return new CommanderError(exitCode, code, `${plain} (Did you mean ${meant}?)`);
}
