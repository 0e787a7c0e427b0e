/** The tasks by name. */

import { bulk } from "./bulk.ts";
import { durableMany, durableOne } from "./durable.ts";
import { openClean, prepare, replay } from "./open.ts";
import type { Task } from "./task.ts";

/** What a process can be told to do. */
export const TASKS: Record<string, Task> = {
  bulk,
  durableOne,
  durableMany,
  prepare,
  openClean,
  replay,
};
