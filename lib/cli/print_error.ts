/** Tells the user of an error. */

import { writeFully } from "./descriptor.ts";
import { debugEnabled, reportOf, stackOf } from "./error_report.ts";
import type { ExitCode } from "./exit_code.ts";
import { colourEnabled } from "./terminal_text.ts";

const STDERR = 2;

/** Prints the one line, if there is one, and returns what to exit with; `where` goes before it. */
export function printError(error: unknown, where = ""): ExitCode {
  const { exitCode, line } = reportOf(error);
  try {
    if (line !== undefined) {
      const name = colourEnabled(STDERR) ? "\x1b[31mcairn:\x1b[0m" : "cairn:";
      writeFully(STDERR, new TextEncoder().encode(`${name} ${where}${line}\n`));
      if (debugEnabled()) writeFully(STDERR, new TextEncoder().encode(`${stackOf(error)}\n`));
    }
  } catch {
    // Standard error is closed; the exit code still tells.
  }
  return exitCode;
}
