/** What the Tab key does in a shell. */

import { readdirSync } from "node:fs";
import type { Command } from "commander";
import { candidatesFor } from "../completion/candidates.ts";
import { listKeys, withoutDelay } from "../completion/list_keys.ts";
import type { Target } from "../target/target.ts";
import type { Completion } from "./line_editor.ts";
import { quoteWord, type Quoting, quotingOf, splitLine } from "./split_line.ts";

const FILES_MAX = 200;

/** Completes a line; keys are those of `target`, if there is one. */
export async function completeLine(
  program: Command,
  line: string,
  target: Target | undefined,
): Promise<Completion> {
  const { words, open, lastStart } = splitLine(line);
  const raw = lastStart === undefined ? "" : line.slice(lastStart);
  const current = lastStart === undefined ? "" : words.pop()!;
  if (open === "\\") return { replaced: raw, texts: [] };
  if (words[0] === "cairn") words.shift();
  const { kind, words: found } = await candidatesFor(
    program,
    words,
    current,
    (prefix) =>
      target === undefined ? Promise.resolve([]) : withoutDelay(() => listKeys(target, prefix)),
  );
  const texts = kind === "words" ? found.map(({ text }) => text) : filesFor(current, kind);
  const quoting = quotingOf(raw);
  return {
    replaced: raw,
    texts: texts.map((text) => typed(text, quoting))
      .filter((text) => text !== undefined && text.startsWith(raw)) as string[],
  };
}

/** As it is to be typed; what is complete has a blank behind it. */
function typed(text: string, quoting: Quoting): string | undefined {
  const quoted = quoteWord(text, quoting);
  if (quoted === undefined) return undefined;
  const quote = quoting === "plain" ? "" : quoting;
  return text.endsWith("/") ? quote + quoted : `${quote}${quoted}${quote} `;
}

/** Names in the directory that the path so far ends in. */
function filesFor(path: string, kind: "files" | "directories"): string[] {
  const end = path.lastIndexOf("/") + 1;
  const directory = path.slice(0, end);
  const beginning = path.slice(end);
  try {
    return readdirSync(directory === "" ? "." : directory, { withFileTypes: true })
      .filter(({ name }) =>
        name.startsWith(beginning) && (beginning !== "" || !name.startsWith("."))
      )
      .filter((entry) => kind === "files" || !entry.isFile())
      .slice(0, FILES_MAX)
      .map((entry) => `${directory}${entry.name}${entry.isDirectory() ? "/" : ""}`)
      .sort();
  } catch {
    return [];
  }
}
