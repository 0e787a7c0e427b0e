/** Asks before something is destroyed. */

import { readSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { CliError } from "./cli_error.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { currentSession } from "./session.ts";
import { escapeControls } from "./terminal_text.ts";

const STDIN = 0;
const STDERR = 2;

/**
 * Returns if it may be done: `--yes` was given, or a person at a terminal says so. `what` completes
 * "… ?", as in `out.csv exists: replace it`.
 */
export function confirm(what: string, yes: boolean): void {
  if (yes) return;
  if (!isatty(STDIN) || !isatty(STDERR)) {
    throw new CliError(EXIT_CODE.usage, `${what}? Say so with --yes, as there is nobody to ask`);
  }
  const question = `${escapeControls(what)}? [y/N] `;
  const session = currentSession();
  if (session?.ask !== undefined) {
    if (session.ask(question)) return;
    throw new CliError(EXIT_CODE.notFound, "nothing was done");
  }
  writeSync(STDERR, question);
  const answer = new Uint8Array(256);
  const length = readSync(STDIN, answer);
  if (/^y(es)?$/i.test(new TextDecoder().decode(answer.subarray(0, length)).trim())) return;
  throw new CliError(EXIT_CODE.notFound, "nothing was done");
}
