/** Answers that are errors, in the words and with the exit codes that a directory has for them. */

import { KvError } from "../../errors.ts";
import { CliError, ConnectionError } from "../cli_error.ts";
import { EXIT_CODE, type ExitCode, isKvErrorCode } from "../exit_code.ts";

/** Codes that only a server has. Those that are missing here are about the request. */
const EXIT_CODE_BY_REFUSAL: Record<string, ExitCode> = {
  Unauthorized: EXIT_CODE.connection,
  Forbidden: EXIT_CODE.connection,
  NoSuchRoute: EXIT_CODE.connection,
  MethodNotAllowed: EXIT_CODE.connection,
  RequestTimeout: EXIT_CODE.connection,
  MisdirectedRequest: EXIT_CODE.connection,
  TooManyRequests: EXIT_CODE.connection,
  Internal: EXIT_CODE.internal,
};
/** What is over when the server has less to do, or has been started again. */
const PASSING = ["Overloaded", "Closed"];
/** Answers of servers that have not even read what was asked. */
const TOO_LONG = [414, 431];
const PROBLEM_TYPE = "application/problem+json";
const TEXT_LENGTH_MAX = 1000;

/** The error that an answer stands for; `address` is whose. */
export async function errorOfProblem(
  address: string,
  response: Response,
  hasToken: boolean,
): Promise<Error> {
  const problem = await readProblem(response);
  if (problem === undefined && TOO_LONG.includes(response.status)) {
    return new CliError(
      EXIT_CODE.usage,
      `the keys of this command are too long for a request to ${address}: take a shorter prefix, ` +
        "start or end",
    );
  }
  if (problem === undefined) return notCairn(address, response.status);
  const { code, detail } = problem;
  if (code === "Unauthorized") {
    return new CliError(
      EXIT_CODE.connection,
      hasToken
        ? `${address} does not accept the token: check CAIRN_TOKEN or --token-file`
        : `${address} wants a token: give it in CAIRN_TOKEN or with --token-file`,
    );
  }
  const message = `${address}: ${detail}`;
  if (PASSING.includes(code)) return new ConnectionError(`${message}; try again later`);
  const exitCode = EXIT_CODE_BY_REFUSAL[code];
  if (exitCode !== undefined) return new CliError(exitCode, message);
  return isKvErrorCode(code) ? new KvError(code, message) : new CliError(EXIT_CODE.usage, message);
}

/** The error for an answer that no Cairn would give. */
export function notCairn(address: string, status: number): CliError {
  return new CliError(
    EXIT_CODE.connection,
    `${address} does not answer as Cairn does (status ${status}): check --url or CAIRN_URL`,
  );
}

async function readProblem(
  response: Response,
): Promise<{ code: string; detail: string } | undefined> {
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith(PROBLEM_TYPE)) {
    await response.body?.cancel().catch(() => {});
    return undefined;
  }
  try {
    const { code, detail } = await response.json() as Record<string, unknown>;
    if (typeof code !== "string" || typeof detail !== "string") return undefined;
    return { code, detail: detail.slice(0, TEXT_LENGTH_MAX) };
  } catch {
    return undefined;
  }
}
