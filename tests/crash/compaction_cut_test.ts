/** Power cuts at every call of a compaction. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashFileSystem } from "../support/crash_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { read } from "../support/store_outcome.ts";
import { openInMemory } from "../support/test_store.ts";

const SEEDS = 12;
const KEYS = 12;
/** Calls of a compaction that write, sync, rename or remove something. */
const CALLS_MIN = 12;
const SMALL = { segmentBytesMax: 4096, compaction: { auto: false } };

test("after a power cut at any call of a compaction, the store is what it was", async () => {
  let calls = 0;
  for (let stopped = true; stopped; calls++) {
    for (let seed = 0; seed < SEEDS; seed++) {
      const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
      const store = await openInMemory(SMALL, fs);
      for (let round = 0; round < 2; round++) {
        const keys = Array.from({ length: KEYS }, (_, index) => `key ${index + round * KEYS / 2}`);
        await store.batch(keys.map((key) => ({ op: "set", key, value: `${round}`.padEnd(500) })));
      }
      const { state } = await read(store);
      fs.stopAfter(calls + 1);
      await store.compact().catch(() => {});
      stopped = fs.stopped;
      fs.stop();
      await store.close().catch(() => {});
      fs.restart("power");
      const again = await openInMemory(SMALL, fs);
      assert.deepEqual((await read(again)).state, state, `cut at call ${calls + 1}, seed ${seed}`);
      await again.close();
    }
  }
  assert(calls > CALLS_MIN, `${calls} calls`);
});
