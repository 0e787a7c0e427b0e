/** What a run came to, in numbers. */

import process from "node:process";

const SHOWS = process.env["CAIRN_COUNTS"] === "1";

/** Prints what a test did if the environment has `CAIRN_COUNTS=1`, as the long tasks do. */
export function counted(what: string): void {
  if (SHOWS) console.log(`counted: ${what}`);
}

/**
 * Counts what a file of tests does many times over: call what this returns each time. The sum is
 * printed at the end, under Deno.
 */
export function tally(what: string): (count?: number) => void {
  let sum = 0;
  if (SHOWS) globalThis.addEventListener?.("unload", () => sum > 0 && counted(`${sum} ${what}`));
  return (count = 1) => {
    sum += count;
  };
}
