/** Opening the store that `--db` names, with errors that say what to do about it. */

import { lstatSync } from "node:fs";
import { join } from "node:path";
import { KvError } from "../errors.ts";
import { KvStore, type OpenOptions } from "../mod.ts";
import { CliError } from "./cli_error.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { lockHolder } from "./lock_holder.ts";

/** Opens for commands that only look, beside whatever process is writing. Creates nothing. */
export function openForReading(directory: string): Promise<KvStore> {
  requireDirectory(directory);
  return KvStore.open(directory, { readOnly: true });
}

/** Opens for commands that change what exists. */
export function openForChange(directory: string): Promise<KvStore> {
  requireDirectory(directory);
  return openOrCreate(directory, {});
}

/** Opens for commands that may begin a new store. */
export async function openOrCreate(directory: string, options: OpenOptions): Promise<KvStore> {
  try {
    return await KvStore.open(directory, options);
  } catch (error) {
    if (!(error instanceof KvError) || error.code !== "Locked") throw error;
    const holder = lockHolder(directory);
    const name = holder?.name === undefined ? "" : ` (${holder.name})`;
    const who = holder === undefined ? "another process" : `process ${holder.pid}${name}`;
    const instead = holder?.url === undefined
      ? "if it is a server, name it with --url and the address that it said it serves"
      : `reach it with --url ${holder.url} instead of the directory`;
    throw new CliError(
      EXIT_CODE.locked,
      `the store in ${directory} is in use by ${who}: stop it, or ${instead}`,
      { cause: error },
    );
  }
}

/** Refuses a directory where no store is: one could be begun there, but nobody has asked for that. */
export function requireStore(directory: string): void {
  requireDirectory(directory);
  if (lstatSync(join(directory, "wal"), { throwIfNoEntry: false }) !== undefined) return;
  throw new CliError(EXIT_CODE.io, `there is no store in ${directory}: name another with --db`);
}

/** Refuses a path where nothing is, which opening might otherwise create, or where a file is. */
export function requireDirectory(directory: string): void {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) return;
  const problem = stat === undefined
    ? `there is no store in ${directory}`
    : `${directory} is a file, and a store is a directory`;
  throw new CliError(
    EXIT_CODE.io,
    `${problem}: name one with --db or CAIRN_DB, or begin one with 'cairn set'`,
  );
}

/** Whether there is anything in a directory that could be opened as a store. */
export function holdsStore(directory: string): boolean {
  return lstatSync(join(directory, "wal"), { throwIfNoEntry: false }) !== undefined;
}
