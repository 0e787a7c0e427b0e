/** Where the runtimes are, for tests that start other processes. Undefined: not to be had here. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import process from "node:process";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** The Deno that runs the tests, or else DENO_EXEC_PATH, or else the one on PATH. */
export const denoPath: string | undefined = "Deno" in globalThis
  ? process.execPath
  : firstThatRuns([process.env["DENO_EXEC_PATH"], "deno"], ["--version"], /^deno /);

/** The Bun that runs the tests, or else the one that the project brings. */
export const bunPath: string | undefined = "Bun" in globalThis
  ? process.execPath
  : firstThatRuns([`${PROJECT}node_modules/bun/bin/bun.exe`, "bun"], ["--version"], /^\d/);

/** A Node that runs TypeScript: NODE_EXEC_PATH, or else the one on PATH. */
export const nodePath: string | undefined = firstThatRuns(
  [process.env["NODE_EXEC_PATH"], "node"],
  ["--experimental-strip-types", "-p", "process.versions.bun ?? `node ${process.version}`"],
  /^node v2[2-9]/,
);

function firstThatRuns(
  programs: readonly (string | undefined)[],
  args: readonly string[],
  expected: RegExp,
): string | undefined {
  return programs.find((program) => {
    if (program === undefined) return false;
    const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
    return status === 0 && expected.test(stdout);
  });
}
