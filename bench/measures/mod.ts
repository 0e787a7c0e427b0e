/** All measures by name. */

import { ENGINE_MEASURES } from "./engine.ts";
import { HTTP_MEASURE } from "./http.ts";
import type { Measure } from "./measure.ts";
import { PART_MEASURES } from "./parts.ts";
import { REDIS_MEASURE } from "./redis.ts";

/** In the order in which they are run. */
export const MEASURES: readonly Measure[] = [
  ...ENGINE_MEASURES,
  REDIS_MEASURE,
  HTTP_MEASURE,
  ...PART_MEASURES,
];

/** The parts beside the table: names of options, and the measures that they stand for. */
export const PARTS: Record<string, string> = {
  scale: "scale",
  sizes: "sizes",
  stalls: "pauses",
  memory: "growth",
  amplification: "amplification",
  startup: "startup",
  threads: "threads",
};
