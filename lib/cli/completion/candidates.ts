/**
 * What may come next on a command line, by what the program knows of its commands, options and
 * arguments. The name of an argument says what it is: `<key>` a key, `<file>` a file, `<dir>` a
 * directory.
 */

import type { Argument, Command, Option } from "commander";

/** What the Tab key may put in the place of a word. */
export interface Candidates {
  /** Whether it is one of `words`, or a file or directory, which shells find better themselves. */
  kind: "words" | "files" | "directories";
  words: Candidate[];
}

/** A word. */
export interface Candidate {
  text: string;
  /** Empty if there is nothing to say. */
  description: string;
}

/** Lists keys that begin with a prefix. */
export type ListKeys = (prefix: string) => Promise<string[]>;

const NOTHING: Candidates = { kind: "words", words: [] };
const FILES = new Set(["file", "src"]);
const DIRECTORIES = new Set(["dir", "dest"]);

/** What may stand in the place of `current`, behind `words`, the first of which is a command. */
export async function candidatesFor(
  program: Command,
  words: readonly string[],
  current: string,
  listKeys: ListKeys,
): Promise<Candidates> {
  const { command, operands, pending, given, onlyOperands } = walk(program, words);
  if (pending !== undefined) return await valuesOf(pending, current, listKeys);
  if (!onlyOperands && current.startsWith("-")) {
    const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
    if (name === undefined) return startingWith(current, optionsOf(command, given));
    const option = findOption(program, command, name);
    if (option === undefined || !takesValue(option)) return NOTHING;
    const { kind, words: values } = await valuesOf(option, value!, listKeys);
    return { kind, words: values.map((each) => ({ ...each, text: `${name}=${each.text}` })) };
  }
  if (command === program) return startingWith(current, commandsOf(program));
  const argument = argumentAt(command, operands.length);
  if (argument === undefined) return NOTHING;
  if (argument.name() === "command") return startingWith(current, commandsOf(program));
  const found = await namedValues(argument.name(), argument.argChoices, current, listKeys);
  return { ...found, words: found.words.filter(({ text }) => !operands.includes(text)) };
}

interface Position {
  command: Command;
  /** Arguments of the command so far. */
  operands: string[];
  /** The option whose value comes next. */
  pending: Option | undefined;
  given: Option[];
  /** Whether what begins with a dash is no option any more. */
  onlyOperands: boolean;
}

function walk(program: Command, words: readonly string[]): Position {
  const position: Position = {
    command: program,
    operands: [],
    pending: undefined,
    given: [],
    onlyOperands: false,
  };
  for (const word of words) {
    if (position.pending !== undefined) {
      position.pending = undefined;
    } else if (position.onlyOperands || !/^-./s.test(word)) {
      const command = position.command !== program
        ? undefined
        : program.commands.find((each) => each.name() === word || each.aliases().includes(word));
      if (command === undefined) position.operands.push(word);
      else position.command = command;
    } else if (word === "--") {
      position.onlyOperands = true;
    } else {
      const option = findOption(program, position.command, word.split("=")[0]!);
      if (option === undefined) continue;
      position.given.push(option);
      if (takesValue(option) && !word.includes("=")) position.pending = option;
    }
  }
  return position;
}

function findOption(program: Command, command: Command, name: string): Option | undefined {
  return [...command.options, ...program.options].find(({ long, short }) =>
    long === name || short === name
  );
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function optionsOf(command: Command, given: readonly Option[]): Candidate[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)]
    // One with a list of values may be given again.
    .filter((option) => !given.includes(option) || Array.isArray(option.defaultValue))
    .map(({ long, short, description }) => ({ text: (long ?? short)!, description }));
}

function commandsOf(program: Command): Candidate[] {
  return program.createHelp().visibleCommands(program)
    .map((command) => ({ text: command.name(), description: command.description() }));
}

/** The last argument of a command may be there several times. */
function argumentAt(command: Command, index: number): Argument | undefined {
  const last = command.registeredArguments.at(-1);
  return command.registeredArguments[index] ?? (last?.variadic ? last : undefined);
}

async function valuesOf(
  option: Option,
  current: string,
  listKeys: ListKeys,
): Promise<Candidates> {
  const name = option.long === "--prefix" ? "key" : /[<[]([\w-]+)/.exec(option.flags)?.[1] ?? "";
  return await namedValues(name, option.argChoices, current, listKeys);
}

async function namedValues(
  name: string,
  choices: readonly string[] | undefined,
  current: string,
  listKeys: ListKeys,
): Promise<Candidates> {
  if (choices !== undefined) return startingWith(current, choices.map(wordOf));
  if (FILES.has(name)) return { kind: "files", words: [] };
  if (DIRECTORIES.has(name)) return { kind: "directories", words: [] };
  if (name === "key") return startingWith(current, (await listKeys(current)).map(wordOf));
  return NOTHING;
}

function wordOf(text: string): Candidate {
  return { text, description: "" };
}

function startingWith(current: string, words: readonly Candidate[]): Candidates {
  return { kind: "words", words: words.filter(({ text }) => text.startsWith(current)) };
}
