/** What this executable was made from. `deno task build` writes it in; from source there is none. */

import process from "node:process";

declare const CAIRN_VERSION: string | undefined;
declare const CAIRN_COMMIT: string | undefined;

/** Version, commit and platform of the running program. */
export interface BuildInfo {
  version: string;
  commit: string;
  runtime: string;
  platform: string;
}

/** Describes the running program. */
export function buildInfo(): BuildInfo {
  const { bun, deno, node } = process.versions;
  return {
    version: typeof CAIRN_VERSION === "string" ? CAIRN_VERSION : "0.0.0-source",
    commit: typeof CAIRN_COMMIT === "string" ? CAIRN_COMMIT : "unknown",
    runtime: bun ? `bun ${bun}` : deno ? `deno ${deno}` : `node ${node}`,
    platform: `${process.platform}-${process.arch}`,
  };
}
