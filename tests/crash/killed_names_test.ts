/** Names that a killed process left, not yet durable, and on which the next one builds. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashFileSystem } from "../support/crash_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { read } from "../support/store_outcome.ts";
import { openInMemory } from "../support/test_store.ts";

const SEEDS = 2;
const TIMEOUT_MS = 120_000;
const VALUE = "v".repeat(1500);

test(
  "killed at any call of a rotation or compaction; what the next process is told outlives a power cut",
  {
    timeout: TIMEOUT_MS,
  },
  async () => {
    let stopped = true;
    for (let calls = 1; stopped; calls++) {
      stopped = false;
      for (let seed = 0; seed < SEEDS; seed++) {
        const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
        fs.stopAfter(calls);
        try {
          const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
          for (const key of ["a", "a", "b", "a"]) await store.set(key, VALUE);
          await store.compact();
        } catch (error) {
          if (!fs.stopped) throw error;
        }
        stopped ||= fs.stopped;
        fs.restart("kill");
        const next = await openInMemory({ segmentBytesMax: 4096 }, fs);
        await next.set("c", "acknowledged");
        const { state } = await read(next);
        fs.restart("power");
        const again = await openInMemory({}, fs);
        assert.deepEqual(
          (await read(again)).state,
          state,
          `stopped at call ${calls}, seed ${seed}`,
        );
        fs.stop();
      }
    }
  },
);
