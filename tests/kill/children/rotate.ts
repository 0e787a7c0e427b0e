/**
 * Writes to the store in the directory that is its argument, in short segments, and compacts it in
 * the end if the second argument says so. Prints a line for every write that was acknowledged.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { KvStore } from "../../../lib/mod.ts";
import { takeSteps } from "../../support/prepared_store.ts";
import { ROTATION_SEGMENT_BYTES, ROTATION_STEPS } from "../../support/rotation_plan.ts";

const [directory, compacts] = process.argv.slice(2);
const STDOUT = 1;

await using store = await KvStore.open(directory!, {
  segmentBytesMax: ROTATION_SEGMENT_BYTES,
  compaction: { auto: false },
});
const line = new TextEncoder().encode("acknowledged\n");
await takeSteps(store, ROTATION_STEPS, () => writeSync(STDOUT, line));
if (compacts === "compact") await store.compact();
