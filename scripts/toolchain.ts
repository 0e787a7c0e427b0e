/** Where the tools of the tasks are. */

import { fileURLToPath } from "node:url";

/** The repository's top directory. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Bun, as `deno install` puts it there; the name is the same on every platform. */
export const BUN = `${ROOT}/node_modules/bun/bin/bun.exe`;
