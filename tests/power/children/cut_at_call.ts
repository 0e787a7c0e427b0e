/**
 * Writes to the store in the directory that is its first argument, in short segments, compacts it
 * and closes it, but cuts the power right before the call whose number is the second argument, by
 * the command in the others. Prints a line for every write that was acknowledged, and in the end,
 * if it comes to that, how many calls there were.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { nodeFileSystem } from "../../../lib/fs/node_file_system.ts";
import { KvStore } from "../../../lib/mod.ts";
import { takeSteps } from "../../support/prepared_store.ts";
import { ROTATION_SEGMENT_BYTES, ROTATION_STEPS } from "../../support/rotation_plan.ts";
import { watchingFileSystem } from "../../support/watching_file_system.ts";
import { cutPower } from "./power_switch.ts";

const [directory, cutAt, ...cutCommand] = process.argv.slice(2);
const STDOUT = 1;
let callCount = 0;

const fileSystem = watchingFileSystem(nodeFileSystem, () => {
  if (++callCount === Number(cutAt)) cutPower(cutCommand);
});

const store = await KvStore.open(directory!, {
  segmentBytesMax: ROTATION_SEGMENT_BYTES,
  compaction: { auto: false },
  fileSystem,
});
const line = new TextEncoder().encode("acknowledged\n");
await takeSteps(store, ROTATION_STEPS, () => writeSync(STDOUT, line));
await store.compact();
await store.close();
writeSync(STDOUT, new TextEncoder().encode(`${callCount} calls\n`));
