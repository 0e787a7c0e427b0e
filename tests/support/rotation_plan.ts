/** What the children write that rotate; whoever stops them must know. */

import { churn } from "./prepared_store.ts";

/** Enough for three segments of the shortest allowed length. */
export const ROTATION_STEPS = churn(16, 500);
/** That length. */
export const ROTATION_SEGMENT_BYTES = 4096;
