/**
 * Answers the scripts that shells run when the Tab key is pressed: a line with the kind of what may
 * come next (`words`, `files` or `directories`), then the words, each in the way in which its shell
 * wants them. bash and fish send the command line as it was typed, the others words.
 */

import { lstatSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import type { GlobalOptions } from "../global_options.ts";
import { quoteWord, type Quoting, quotingOf, splitLine } from "../shell/split_line.ts";
import { chosenUrl, openTarget } from "../target/choose_target.ts";
import { type Candidate, type Candidates, candidatesFor } from "./candidates.ts";
import { listKeys, withoutDelay } from "./list_keys.ts";
import type { ShellName } from "./shell_name.ts";

/** A directory with more to read at opening is not opened for a key press. */
const OPEN_BYTES_MAX = 64 << 20;
/** Reading a hint file takes longer than reading as much of a log. */
const HINT_COST = 4;

/** What was typed, up to the cursor. */
interface Request {
  words: string[];
  current: string;
  /** The word as it was typed, with its quotes. */
  raw: string;
  /** At what characters the shell itself divides words. */
  breaks: string;
}

/** The lines to print. `sent` is what the script of the shell handed over. */
export async function answerRequest(
  createProgram: () => Command,
  shell: ShellName,
  sent: readonly string[],
): Promise<string[]> {
  const { words, current, raw, breaks } = readRequest(shell, sent);
  const candidates = await candidatesFor(
    createProgram(),
    words,
    current,
    (prefix) => withoutDelay(() => keysFor(createProgram(), [...words, current || "."], prefix)),
  );
  return [candidates.kind, ...linesFor(shell, candidates, raw, breaks)];
}

function readRequest(shell: ShellName, sent: readonly string[]): Request {
  switch (shell) {
    case "bash":
      return requestOf(sent[1] ?? "", sent[0] ?? "");
    case "fish":
      return requestOf(sent[0] ?? "", "");
    case "zsh":
      return { words: sent.slice(0, -1), current: sent.at(-1) ?? "", raw: "", breaks: "" };
    case "powershell": {
      // Each has a colon in front of it, since older ones do not hand over words that are empty.
      const words = sent.map((word) => word.slice(1));
      const current = (words.pop() ?? "").replace(/^["']/, "");
      return { words, current, raw: "", breaks: "" };
    }
  }
}

/** Of a line that begins with the name of the program. */
function requestOf(line: string, breaks: string): Request {
  const { words, lastStart } = splitLine(line);
  words.shift();
  if (lastStart === undefined) return { words, current: "", raw: "", breaks };
  return { words, current: words.pop() ?? "", raw: line.slice(lastStart), breaks };
}

function linesFor(
  shell: ShellName,
  { words }: Candidates,
  raw: string,
  breaks: string,
): string[] {
  switch (shell) {
    case "bash":
      return words.map(({ text }) => forBash(text, raw, breaks)).filter((text) => text !== "");
    case "powershell":
      return words.filter(isShowable).map(({ text, description }) =>
        [forPowerShell(text), text, description || text].join("\t")
      );
    default:
      return words.filter(isShowable).map(({ text, description }) => `${text}\t${description}`);
  }
}

/** bash takes it as it is, in the place of what is behind the last character it divides words at. */
function forBash(text: string, raw: string, breaks: string): string {
  const quoting: Quoting = quotingOf(raw);
  const quoted = quoteWord(text, quoting);
  if (quoted === undefined) return "";
  if (quoting !== "plain") return quoted;
  if (!quoted.startsWith(raw)) return "";
  let kept = 0;
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] === "\\") at++;
    // Names of hosts, which bash thinks of there, are replaced with the sign.
    else if (breaks.includes(raw[at]!)) kept = raw[at] === "@" ? at : at + 1;
  }
  return quoted.slice(kept);
}

function forPowerShell(text: string): string {
  return /^[\w:./=+%-]+$/.test(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

function isShowable({ text }: Candidate): boolean {
  return quoteWord(text, "plain") !== undefined;
}

/** Keys of the store that the words so far choose, if opening it is a matter of a moment. */
async function keysFor(program: Command, words: string[], prefix: string): Promise<string[]> {
  let chosen: Command | undefined;
  for (const command of program.commands) {
    command.action((...args: unknown[]) => void (chosen = args.at(-1) as Command));
  }
  await program.parseAsync(words.map(withHome), { from: "user" });
  if (chosen === undefined) return [];
  const options = chosen.optsWithGlobals<GlobalOptions>();
  if (chosenUrl(chosen, options) === undefined && !opensSoon(options.db)) return [];
  await using target = await openTarget(chosen, "read");
  return await listKeys(target, prefix);
}

/** The shell has not yet put the home directory in the place of `~`. */
function withHome(word: string): string {
  return word.replace(/^(--[\w-]+=)?~(?=\/)/, (_all, option = "") => option + homedir());
}

function opensSoon(directory: string): boolean {
  const names = new Set(readdirSync(join(directory, "wal")));
  let bytes = 0;
  for (const name of names) {
    const isHint = name.endsWith(".hint");
    // What has a hint file is not read.
    if (!isHint && names.has(name.replace(/\.log$/, ".hint"))) continue;
    const { size } = lstatSync(join(directory, "wal", name));
    bytes += isHint ? size * HINT_COST : size;
  }
  return bytes <= OPEN_BYTES_MAX;
}
