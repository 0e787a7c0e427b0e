/** The tokens of `cairn serve`: from files, or from the environment; never from arguments. */

import process from "node:process";
import type { Tokens } from "../server/http/mod.ts";
import { CliError } from "./cli_error.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { readSecretFile } from "./secret_file.ts";

/** Where tokens may be. */
export interface TokenSources {
  tokenFile?: string;
  readTokenFile?: string;
}

const VARIABLE = { tokenFile: "CAIRN_TOKEN", readTokenFile: "CAIRN_READ_TOKEN" } as const;
const OPTION = { tokenFile: "--token-file", readTokenFile: "--read-token-file" } as const;

/**
 * Takes the tokens out of the environment, so that no child process and no report of a crash shows
 * them. A file, where one is named, counts before the variable.
 */
export function takeTokenVariables(): TokenSources {
  const taken: TokenSources = {};
  for (const name of ["tokenFile", "readTokenFile"] as const) {
    const value = process.env[VARIABLE[name]];
    if (value !== undefined) taken[name] = value;
    delete process.env[VARIABLE[name]];
  }
  return taken;
}

/** The tokens, or undefined if there are to be none. `variables` is from {@link takeTokenVariables}. */
export async function loadTokens(
  sources: TokenSources,
  variables: TokenSources,
): Promise<Tokens | undefined> {
  const full = await loadToken("tokenFile", sources, variables);
  const readOnly = await loadToken("readTokenFile", sources, variables);
  if (full === undefined) {
    if (readOnly === undefined) return undefined;
    throw new CliError(
      EXIT_CODE.usage,
      "there is a read-only token, and no full one: give that too, with --token-file or CAIRN_TOKEN",
    );
  }
  if (readOnly === undefined) return { full };
  if (full === readOnly) {
    throw new CliError(EXIT_CODE.usage, "the read-only token is the same as the full one");
  }
  return { full, readOnly };
}

async function loadToken(
  name: keyof TokenSources,
  sources: TokenSources,
  variables: TokenSources,
): Promise<string | undefined> {
  const path = sources[name];
  const text = path === undefined ? variables[name] : readSecretFile(OPTION[name], path);
  if (text === undefined) return undefined;
  const { tokenProblem } = await import("../server/http/mod.ts");
  const token = text.trim();
  const problem = tokenProblem(token);
  if (problem === undefined) return token;
  const where = path === undefined ? VARIABLE[name] : `${OPTION[name]} ${path}`;
  throw new CliError(
    EXIT_CODE.usage,
    `the token in ${where} ${problem}; make one with: openssl rand -hex 32`,
  );
}
