/** Whether the executable can be killed at chosen system calls here. */

import { existsSync } from "node:fs";
import { CAIRN } from "./cairn_process.ts";
import { straceProblem } from "./system_calls.ts";

/** Why tests that trace the executable are skipped; undefined if they are not. */
export const killSkipped: string | undefined = straceProblem() ??
  (existsSync(CAIRN) ? undefined : "the executable is not built");
