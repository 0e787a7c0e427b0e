/** Tells the test something, so that it arrives even if this process is killed right after. */

import { writeSync } from "node:fs";

/** Writes a line to standard output, at once. */
export function say(line: string): void {
  writeSync(1, `${line}\n`);
}
