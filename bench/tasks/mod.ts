/** The tasks by name. */

import { amplification } from "./amplification.ts";
import { bulk } from "./bulk.ts";
import { durableMany, durableOne } from "./durable.ts";
import { growth } from "./growth.ts";
import { heap } from "./heap.ts";
import { compactionLatency } from "./latency.ts";
import { openClean, prepare, replay } from "./open.ts";
import { pauses } from "./pauses.ts";
import { scale } from "./scale.ts";
import type { Task } from "./task.ts";
import { threads } from "./threads.ts";

/** What a process can be told to do. */
export const TASKS: Record<string, Task> = {
  amplification,
  bulk,
  compactionLatency,
  durableMany,
  durableOne,
  growth,
  heap,
  openClean,
  pauses,
  prepare,
  replay,
  scale,
  threads,
};
