/** What a run came to, in numbers. */

import process from "node:process";

const SHOWS = process.env["CAIRN_COUNTS"] === "1";

/** Prints what a test did if the environment has `CAIRN_COUNTS=1`, as the long tasks do. */
export function counted(what: string): void {
  if (SHOWS) console.log(`counted: ${what}`);
}
