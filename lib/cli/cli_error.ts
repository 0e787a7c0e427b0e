import { EXIT_CODE, type ExitCode } from "./exit_code.ts";

/** Ends a command with one line on standard error and an exit code. */
export class CliError extends Error {
  /** What the process exits with. */
  readonly exitCode: ExitCode;

  /** `message` says what, where, and what to do. */
  constructor(exitCode: ExitCode, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}

/** A server that cannot be reached, or that broke off; it may well be back later. */
export class ConnectionError extends CliError {
  /** `message` says what, where, and what to do. */
  constructor(message: string, options?: { cause: unknown }) {
    super(EXIT_CODE.connection, message, options);
  }
}

/** Thrown when whoever reads our output has gone, as in `cairn list | head`: no error of anybody's. */
export class OutputClosedError extends Error {
  /** Creates the error. */
  constructor() {
    super("The reader of the output has closed it");
    this.name = "OutputClosedError";
  }
}

/** Ends a command with an exit code, the reason of which the user has been told already. */
export class ReportedError extends Error {
  /** What the process exits with. */
  readonly exitCode: ExitCode;

  /** Creates the error. */
  constructor(exitCode: ExitCode) {
    super(`Ends with exit code ${exitCode}`);
    this.name = "ReportedError";
    this.exitCode = exitCode;
  }
}
