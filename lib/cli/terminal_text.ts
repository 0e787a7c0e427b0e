/** Text for human eyes: nothing stored may move the cursor, ring, recolour or reorder a terminal. */

import process from "node:process";
import { isatty } from "node:tty";

// C0, DEL and C1 controls; line and paragraph separators; bidirectional overrides and isolates.
// deno-lint-ignore no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const SHORT_ESCAPES: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Shows control characters as `\n`, `\t`, `\x1b`, `\u202e` instead of sending them. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    return SHORT_ESCAPES[character] ??
      (code < 0x100
        ? `\\x${code.toString(16).padStart(2, "0")}`
        : `\\u${code.toString(16).padStart(4, "0")}`);
  });
}

/** As {@link escapeControls}, for JSON, which itself escapes only the oldest of these characters. */
export function escapeControlsInJson(json: string): string {
  return json.replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A name inside a message: quoted, escaped, and cut when it is too long to read. */
export function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return `"${escapeControls(shown)}"`;
}

/** Whether colours may be sent to a descriptor. */
export function colourEnabled(fd: number): boolean {
  const { NO_COLOR, TERM } = process.env;
  return isatty(fd) && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb";
}
