/** A sync that failed, and then a power cut while the store is opened again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashFileSystem } from "../support/crash_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { openInMemory, text } from "../support/test_store.ts";

const SEEDS = 30;
/** Calls of an opening that make, sync or write something: about as many as there are at most. */
const CALLS_MAX = 16;
const VALUE = "x".repeat(1000);
const WRITES = 9;
const ROTATIONS_MIN = 2;

test("whatever sync failed, a power cut during the next opening loses nothing that was acknowledged", async () => {
  let cuts = 0;
  for (let sync = 1, struck = true; struck; sync++) {
    for (let seed = 0; seed < SEEDS; seed++) {
      const random = new SeededRandom(seed);
      const fs = new CrashFileSystem({ random });
      fs.faults.plan("sync", sync);
      const acknowledged = await writeUntilFailure(fs);
      struck = fs.faults.struck;
      fs.faults.heal();
      fs.restart("kill");
      fs.stopAfter(random.between(1, CALLS_MAX));
      await openInMemory({}, fs).then((store) => store.close()).catch(() => {});
      if (fs.stopped) cuts++;
      fs.restart("power");
      await using store = await openInMemory({}, fs);
      const where = `sync ${sync} failed, seed ${seed}`;
      for (const key of acknowledged) assert.equal(text(await store.get(key)), VALUE, where);
    }
  }
  assert(cuts > 0, "no opening was cut short");
});

/** Keys of all writes that were acknowledged, through a few segments. */
async function writeUntilFailure(fs: CrashFileSystem): Promise<string[]> {
  const acknowledged: string[] = [];
  try {
    const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
    try {
      for (let write = 0; write < WRITES; write++) {
        await store.set(`key ${write}`, VALUE);
        acknowledged.push(`key ${write}`);
      }
      assert(store.stats().segments > ROTATIONS_MIN);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!fs.faults.struck) throw error;
  }
  return acknowledged;
}
