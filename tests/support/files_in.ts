/** All files of a real directory, as they are. */

import type { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";

/** Contents of the files in `directory`, by name. */
export function filesIn(directory: string): Map<string, Buffer> {
  return new Map(
    readdirSync(directory).sort().map((name) => [name, readFileSync(`${directory}/${name}`)]),
  );
}
