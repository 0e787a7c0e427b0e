/** What overwriting at random costs the disk, once dead data is cleared away as fast as it comes. */

import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ENGINES } from "../engines/mod.ts";
import { keyOf, makeValue, NumberShuffle } from "../workload.ts";
import type { Figures, TaskInput } from "./task.ts";

/** Overwrites for each key: the first half reaches the steady state, the second is measured. */
const OVERWRITES_PER_KEY = 8;
const GROUP = 1000;
/** How often the directory is looked at while that is measured. */
const LOOKS = 50;
const BLOCK_BYTES = 512;

/** Bytes that this process has handed to the system to write (Linux). */
function writtenBytes(): number {
  const line = /^wchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"));
  return Number(line?.[1]);
}

/** Bytes that a directory takes on the disk. */
function diskBytes(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    try {
      bytes += (lstatSync(join(directory, name)).blocks ?? 0) * BLOCK_BYTES;
    } catch {
      // Removed since the directory was read.
    }
  }
  return bytes;
}

/** Fills a store, then overwrites its keys in random order. */
export async function amplification(input: TaskInput): Promise<Figures> {
  const { subject, directory, keys, valueBytes } = input;
  const value = makeValue(valueBytes);
  const engine = await ENGINES[subject]!(directory, "batch");
  const order = new NumberShuffle(keys, 1);
  const writes = keys * OVERWRITES_PER_KEY;
  const steadyFrom = writes / 2;
  let groups = 0;
  const overwrite = async (count: number) => {
    for (let done = 0; done < count; done += GROUP) {
      // Another value each time: some stores write nothing when nothing changes.
      new DataView(value.buffer).setUint32(0, groups++);
      await engine.fill(Array.from({ length: GROUP }, () => keyOf(order.next())), value);
      await engine.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await overwrite(keys);
  await overwrite(steadyFrom);
  const writtenBefore = writtenBytes();
  const begin = performance.now();
  let diskBytesMax = 0;
  for (let look = 0; look < LOOKS; look++) {
    await overwrite((writes - steadyFrom) / LOOKS);
    diskBytesMax = Math.max(diskBytesMax, diskBytes(directory));
  }
  const seconds = (performance.now() - begin) / 1000;
  const written = writtenBytes() - writtenBefore;
  await engine.close();
  const recordBytes = keyOf(0).length + valueBytes;
  return {
    overwritesPerSecond: (writes - steadyFrom) / seconds,
    writeAmplification: written / ((writes - steadyFrom) * recordBytes),
    diskUsePeakRatio: diskBytesMax / (keys * recordBytes),
    diskUseClosedRatio: diskBytes(directory) / (keys * recordBytes),
  };
}
