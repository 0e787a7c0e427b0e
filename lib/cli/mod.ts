/** The command line: parses, runs one command, and turns whatever happens into an exit code. */

import process from "node:process";
import { refuseInvalidUtf8 } from "./argument.ts";
import type { ExitCode } from "./exit_code.ts";
import { printError } from "./print_error.ts";
import { createProgram } from "./program.ts";
import { runProgram } from "./run_program.ts";

/** Runs `cairn` with the arguments after its name; resolves to what the process should exit with. */
export async function runCli(args: readonly string[]): Promise<ExitCode> {
  const crash = (error: unknown): never => process.exit(printError(error));
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  try {
    refuseInvalidUtf8(args);
    await runProgram(createProgram(), args);
    return 0;
  } catch (error) {
    return printError(error);
  }
}

/** What a thread does that a command has begun, with this same program. */
export async function runThread(): Promise<void> {
  const { runServeThread } = await import("./threads/serve_thread.ts");
  await runServeThread();
}
