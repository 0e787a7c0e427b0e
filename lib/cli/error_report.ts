/** From whatever was thrown to the one line that the user sees, and the exit code. */

import process from "node:process";
import { CommanderError } from "commander";
import { KvError } from "../errors.ts";
import { InvariantError } from "../mod.ts";
import { CliError, OutputClosedError, ReportedError } from "./cli_error.ts";
import { EXIT_CODE, type ExitCode, exitCodeOf } from "./exit_code.ts";
import { InterruptedError } from "./interruption.ts";
import { usualName } from "./nearest_command.ts";
import { UsageError } from "./run_program.ts";
import { systemReason } from "./system_reason.ts";
import { escapeControls } from "./terminal_text.ts";

/** How a command ended. */
export interface ErrorReport {
  exitCode: ExitCode;
  /** Without line breaks; undefined if there is nothing to say. */
  line?: string;
}

const ACT_BY_CALL: Record<string, string> = {
  fstat: "look at",
  lstat: "look at",
  mkdir: "make",
  rm: "remove",
  scandir: "look into",
  stat: "look at",
  unlink: "remove",
};

/** Describes an error for the user. */
export function reportOf(error: unknown): ErrorReport {
  const first = firstOf(error);
  if (first !== error) return reportOf(first);
  if (error instanceof OutputClosedError) return { exitCode: EXIT_CODE.ok };
  if (error instanceof ReportedError) return { exitCode: error.exitCode };
  if (error instanceof InterruptedError) return { exitCode: error.exitCode };
  if (error instanceof CliError) return { exitCode: error.exitCode, line: oneLine(error.message) };
  if (error instanceof KvError) {
    return { exitCode: exitCodeOf(error.code), line: oneLine(error.message) };
  }
  if (error instanceof CommanderError) return reportOfUsage(error);
  if (isSystemError(error)) {
    const { syscall, path = "a file" } = error;
    const act = ACT_BY_CALL[syscall] ?? syscall;
    const line = oneLine(`cannot ${act} ${path}: ${systemReason(error)}`);
    return { exitCode: EXIT_CODE.io, line };
  }
  const what = error instanceof InvariantError
    ? error.message
    : `unexpected ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
  const hint = debugEnabled() ? "" : " (set CAIRN_DEBUG=1 to see where)";
  return { exitCode: EXIT_CODE.internal, line: oneLine(what + hint) };
}

/** What went wrong first, where closing what was open went wrong too: that matters less. */
function firstOf(error: unknown): unknown {
  return error instanceof Error && error.name === "SuppressedError" && "suppressed" in error
    ? error.suppressed
    : error;
}

/** What the system has refused, and nobody has put into better words. */
function isSystemError(error: unknown): error is Error & { syscall: string; path?: string } {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return false;
  return typeof error.syscall === "string" && typeof error.code === "string";
}

/** The stack with its causes, for CAIRN_DEBUG=1. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by: ${stackOf(error.cause)}`;
  return (error.stack ?? error.message) + cause;
}

/** Whether the user asked for stack traces. */
export function debugEnabled(): boolean {
  const value = process.env["CAIRN_DEBUG"];
  return value !== undefined && value !== "" && value !== "0";
}

function reportOfUsage(error: CommanderError): ErrorReport {
  if (error.exitCode === 0) return { exitCode: EXIT_CODE.ok };
  // Help that was shown instead of running a command has said all there is to say.
  if (error.code === "commander.help") return { exitCode: EXIT_CODE.usage };
  const message = withUsualName(error).replace(/^error: /, "").replace(/\.\s*$/, "");
  const help = error instanceof UsageError ? error.help : "cairn help";
  return { exitCode: EXIT_CODE.usage, line: oneLine(`${message}; see '${help}'`) };
}

/** Commands that other stores call by other names are not near enough to be suggested. */
function withUsualName({ code, message }: CommanderError): string {
  if (code !== "commander.unknownCommand" || message.includes("Did you mean")) return message;
  const name = usualName(/'(.*)'/.exec(message)?.[1] ?? "");
  return name === undefined ? message : `${message} (Did you mean ${name}?)`;
}

function oneLine(message: string): string {
  return escapeControls(message.replace(/\s*[\r\n]+\s*/g, " ").trim());
}
