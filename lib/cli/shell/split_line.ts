/**
 * A line of the shell as words, quoted the way people know from other shells, and back: `\` takes
 * the next character as it is, `'...'` everything, `"..."` everything but `\"`, `\\`, `\$` and
 * `` \` ``. Nothing is expanded.
 */

/** How a word is quoted; `plain` means by backslashes. */
export type Quoting = "plain" | '"' | "'";

/** What {@link splitLine} makes of a line. */
export interface SplitLine {
  /** The words, the last of them as far as it goes. */
  words: string[];
  /** What the text ends in the middle of, so that it needs another line to go on. */
  open?: '"' | "'" | "\\";
  /** Where the word begins in which the text ends; undefined if it ends between words. */
  lastStart?: number;
}

const BLANK = /[ \t\r\n]/;
/** What `\` takes as it is between double quotes; before anything else it is itself. */
const ESCAPED_IN_QUOTES = '"\\$`';

/** Divides a line into words. */
export function splitLine(text: string): SplitLine {
  const words: string[] = [];
  let word: string | undefined;
  let start = 0;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (word === undefined) {
      if (BLANK.test(character)) continue;
      // A line that goes on in the next one is no word yet.
      if (text.startsWith("\\\n", at)) {
        at++;
        continue;
      }
      word = "";
      start = at;
    }
    if (quote === "'") {
      if (character === "'") quote = undefined;
      else word += character;
    } else if (character === "\\") {
      const next = text[at + 1];
      if (next === undefined) return { words: [...words, word], open: "\\", lastStart: start };
      if (quote !== '"' || ESCAPED_IN_QUOTES.includes(next) || next === "\n") at++;
      if (next !== "\n") word += quote !== '"' || ESCAPED_IN_QUOTES.includes(next) ? next : "\\";
    } else if (quote === '"') {
      if (character === '"') quote = undefined;
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
    } else if (BLANK.test(character)) {
      words.push(word);
      word = undefined;
    } else {
      word += character;
    }
  }
  if (word === undefined) return { words };
  words.push(word);
  return quote === undefined ? { words, lastStart: start } : {
    words,
    open: quote,
    lastStart: start,
  };
}

/** Characters that mean nothing to any shell, anywhere in a word. */
const HARMLESS = /^[\p{L}\p{N}_@%+=:,./^-]$/u;
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/**
 * A word so that {@link splitLine}, and shells like bash, read it as `text`; without the quotes
 * around it. Undefined if that cannot be written, or not be shown.
 */
export function quoteWord(text: string, quoting: Quoting): string | undefined {
  if (CONTROL.test(text)) return undefined;
  switch (quoting) {
    case "'":
      return text.includes("'") ? undefined : text;
    case '"':
      // In bash an exclamation mark recalls the history even here.
      return text.includes("!") ? undefined : text.replace(/["\\$`]/g, "\\$&");
    case "plain":
      return Array.from(
        text,
        (character) => HARMLESS.test(character) ? character : `\\${character}`,
      ).join("");
  }
}

/** How the word is quoted that begins with these characters. */
export function quotingOf(raw: string): Quoting {
  return raw.startsWith('"') ? '"' : raw.startsWith("'") ? "'" : "plain";
}
