/** What recovery itself writes, lost in turn: every call of it may be the last one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashFileSystem } from "../support/crash_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { read } from "../support/store_outcome.ts";
import { openInMemory } from "../support/test_store.ts";

const STATE = { a: "1", b: "2" };
const SEEDS = 8;
const TIMEOUT_MS = 120_000;

/** Runs a life of the store that may be stopped at any call. */
async function live(fs: CrashFileSystem, closes: boolean): Promise<void> {
  try {
    const store = await openInMemory({}, fs);
    if (closes) await store.close();
  } catch (error) {
    if (!fs.stopped) throw error;
  }
}

test("a process killed while it recovers, then one that only opens and closes, then a power cut", {
  timeout: TIMEOUT_MS,
}, async () => {
  let stopped = true;
  for (let calls = 1; stopped; calls++) {
    stopped = false;
    for (let seed = 0; seed < SEEDS; seed++) {
      const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
      const store = await openInMemory({}, fs);
      await store.set("a", "1");
      await store.set("b", "2");
      fs.restart(seed % 2 === 0 ? "kill" : "power");
      fs.stopAfter(calls);
      await live(fs, false);
      stopped ||= fs.stopped;
      fs.restart("kill");
      await live(fs, true);
      fs.restart("power");
      const again = await openInMemory({}, fs);
      assert.deepEqual((await read(again)).state, STATE, `stopped at call ${calls}, seed ${seed}`);
      fs.stop();
    }
  }
});

test("closing stopped at any call, then a power cut: nothing acknowledged is missed", {
  timeout: TIMEOUT_MS,
}, async () => {
  let stopped = true;
  for (let calls = 1; stopped; calls++) {
    stopped = false;
    for (let seed = 0; seed < SEEDS; seed++) {
      const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
      const store = await openInMemory({}, fs);
      await store.set("a", "1");
      await store.set("b", "2");
      fs.stopAfter(calls);
      await store.close().catch(() => {});
      stopped ||= fs.stopped;
      fs.restart(seed % 3 === 0 ? "kill" : "power");
      await live(fs, true);
      fs.restart("power");
      const again = await openInMemory({}, fs);
      assert.deepEqual((await read(again)).state, STATE, `stopped at call ${calls}, seed ${seed}`);
    }
  }
});
