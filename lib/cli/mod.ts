/** The command line: parses, runs one command, and turns whatever happens into an exit code. */

import process from "node:process";
import { refuseInvalidUtf8 } from "./argument.ts";
import { writeFully } from "./descriptor.ts";
import { debugEnabled, reportOf, stackOf } from "./error_report.ts";
import type { ExitCode } from "./exit_code.ts";
import { createProgram } from "./program.ts";
import { colourEnabled } from "./terminal_text.ts";

const STDERR = 2;

/** Runs `cairn` with the arguments after its name; resolves to what the process should exit with. */
export async function runCli(args: readonly string[]): Promise<ExitCode> {
  const crash = (error: unknown): never => process.exit(fail(error));
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  try {
    refuseInvalidUtf8(args);
    await createProgram().parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    return fail(error);
  }
}

function fail(error: unknown): ExitCode {
  const { exitCode, line } = reportOf(error);
  try {
    if (line !== undefined) {
      const name = colourEnabled(STDERR) ? "\x1b[31mcairn:\x1b[0m" : "cairn:";
      writeFully(STDERR, new TextEncoder().encode(`${name} ${line}\n`));
      if (debugEnabled()) writeFully(STDERR, new TextEncoder().encode(`${stackOf(error)}\n`));
    }
  } catch {
    // Standard error is closed; the exit code still tells.
  }
  return exitCode;
}
