/** All measures of the table. */

import { ENGINE_MEASURES } from "./engine.ts";
import type { Measure } from "./measure.ts";

/** In the order in which they are run. */
export const MEASURES: readonly Measure[] = [...ENGINE_MEASURES];
