/** Which store a command works on, from options and environment, and opening it. */

import process from "node:process";
import type { Command } from "commander";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { currentSession } from "../session.ts";
import type { Access, Target } from "./target.ts";

/** What {@link addTargetOptions} makes of the command line. */
export interface TargetOptions extends GlobalOptions {
  tokenFile?: string;
  tlsCa?: string;
}

const dataCommands = new WeakSet<Command>();

/** Declares a command as one that works on a directory and on a server alike. */
export function addTargetOptions(command: Command): Command {
  dataCommands.add(command);
  return command
    .option("--token-file <file>", "token to send to the server (env: CAIRN_TOKEN)")
    .option("--tls-ca <file>", "certificates to trust the server by, PEM (env: CAIRN_TLS_CA)");
}

/** Refuses `--url` with a command that works on files only, and in a session any other target. */
export function checkTarget(command: Command): void {
  if (currentSession() !== undefined) return checkNoTarget(command);
  if (dataCommands.has(command) || sourceOf(command, "url") !== "cli") return;
  throw new CliError(
    EXIT_CODE.usage,
    `'cairn ${command.name()}' has no use for --url: it works on this machine; name a directory ` +
      "with --db where it needs one",
  );
}

/**
 * What the command line itself names, for commands that do without a store of anybody's: the
 * variables are for those who mean to use one.
 */
export function givenTarget(
  command: Command,
): { directory: string } | { server: URL } | undefined {
  const { db, url } = command.optsWithGlobals<TargetOptions>();
  if (sourceOf(command, "url") === "cli") return { server: chosenUrl(command, { db, url: url! })! };
  return sourceOf(command, "db") === "cli" ? { directory: db } : undefined;
}

function checkNoTarget(command: Command): void {
  const given = ["db", "url"].find((option) => sourceOf(command, option) === "cli") ??
    (command.getOptionValueSource("tokenFile") === "cli" ? "token-file" : undefined) ??
    (command.getOptionValueSource("tlsCa") === "cli" ? "tls-ca" : undefined);
  if (given === undefined) return;
  throw new CliError(
    EXIT_CODE.usage,
    `--${given} is for the command line: a shell works on one store; leave it, and start another ` +
      "for another store",
  );
}

/** Opens the store that the command line or the environment names, or takes that of the session. */
export async function openTarget(command: Command, access: Access): Promise<Target> {
  const session = currentSession();
  return session === undefined
    ? await openNamedTarget(command, access)
    : await session.open(access);
}

/** Opens the store that the command line or the environment names. */
export async function openNamedTarget(command: Command, access: Access): Promise<Target> {
  const options = command.optsWithGlobals<TargetOptions>();
  const url = chosenUrl(command, options);
  // Loaded here, so that commands start without what they do not use.
  if (url !== undefined) {
    const { ServerTarget } = await import("./server_target.ts");
    return ServerTarget.of(url, options);
  }
  const { DirectoryTarget } = await import("./directory_target.ts");
  return await DirectoryTarget.open(options.db, access);
}

/** The address of the server; undefined if it is a directory that was chosen. */
export function chosenUrl(command: Command, { url }: GlobalOptions): URL | undefined {
  const dbGiven = sourceOf(command, "db") === "cli";
  const urlGiven = sourceOf(command, "url") === "cli";
  if (dbGiven && urlGiven) {
    throw new CliError(
      EXIT_CODE.usage,
      "--db and --url exclude each other: name a directory or a server",
    );
  }
  if (urlGiven) return url;
  if (dbGiven || url === undefined) return undefined;
  if (process.env["CAIRN_DB"]) {
    throw new CliError(
      EXIT_CODE.usage,
      "both CAIRN_DB and CAIRN_URL are set: unset one, or say which with --db or --url",
    );
  }
  return url;
}

/** Whether an option of the program comes from the command line, or from elsewhere. */
function sourceOf(command: Command, option: string): string | undefined {
  return (command.parent ?? command).getOptionValueSource(option);
}
