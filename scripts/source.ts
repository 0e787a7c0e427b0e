/** What is known about the source that is checked out. */

import { ROOT } from "./toolchain.ts";

/** Ends the name of a commit when files differ from it. */
const MODIFIED = "-modified";

/** The commit that is checked out, marked if files differ from it; unknown without git. */
export async function commitOf(): Promise<string> {
  const hash = await git("rev-parse", "--short=10", "HEAD");
  if (hash === undefined) return "unknown";
  return await isModified() ? hash + MODIFIED : hash;
}

/** Whether files that git knows differ from the commit. */
export async function isModified(): Promise<boolean> {
  return (await git("status", "--porcelain", "--untracked-files=no") ?? "") !== "";
}

/**
 * The time that stands for this source wherever a file needs one, so that the same source gives the
 * same files: SOURCE_DATE_EPOCH (seconds), or that of the commit, or the beginning of 1980, which is
 * the first that a zip archive can hold.
 */
export async function sourceDate(): Promise<Date> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  const seconds = given ?? await git("log", "-1", "--format=%ct") ?? "";
  if (/^\d{1,10}$/.test(seconds)) return new Date(Math.max(Number(seconds) * 1000, EARLIEST_MS));
  if (given === undefined) return new Date(EARLIEST_MS);
  throw new Error(`SOURCE_DATE_EPOCH is ${JSON.stringify(given)}: it must be a number of seconds`);
}

const EARLIEST_MS = Date.UTC(1980, 0, 1);

async function git(...args: string[]): Promise<string | undefined> {
  try {
    const command = new Deno.Command("git", { args, cwd: ROOT, stdout: "piped", stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}
