/** Directories that were just made: their names are durable only once the one above was synced. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashFileSystem } from "../support/crash_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { openInMemory, PATH, text } from "../support/test_store.ts";

const SEEDS = { kill: 3, sync: 8, disk: 12 };
/** Calls of opening that make, sync or write something, until the store is there. */
const CALLS_MIN = 15;

test("killed at any call of creating a store; what is acknowledged next outlives a power cut", async () => {
  let calls = 0;
  for (let stopped = true; stopped; calls++) {
    for (let seed = 0; seed < SEEDS.kill; seed++) {
      const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
      fs.stopAfter(calls + 1);
      await openInMemory({}, fs).then((store) => store.close()).catch(() => {});
      stopped = fs.stopped;
      fs.restart("kill");
      await assertLasts(fs, `killed at call ${calls + 1}, seed ${seed}`);
    }
  }
  assert(calls > CALLS_MIN, `${calls} calls`);
});

test("any sync of creating a store failed; what is acknowledged next outlives a power cut", async () => {
  for (let sync = 1, struck = true; struck; sync++) {
    for (let seed = 0; seed < SEEDS.sync; seed++) {
      const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
      fs.faults.plan("sync", sync);
      await openInMemory({}, fs).then((store) => store.close()).catch(() => {});
      struck = fs.faults.struck;
      fs.faults.heal();
      await assertLasts(fs, `sync ${sync} failed, seed ${seed}`);
    }
  }
});

test("the disk itself: a directory that was not synced goes with all that is in it", () => {
  let gone = 0;
  for (let seed = 0; seed < SEEDS.disk; seed++) {
    const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
    // It is made by the second call, and would be synced by the third.
    fs.stopAfter(3);
    assert.throws(() => fs.makeDirectory(PATH));
    fs.restart("kill");
    const file = fs.open(`${PATH}/file`, "create");
    file.sync();
    file.close();
    fs.syncDirectory(PATH);
    fs.restart("power");
    if (fs.stat(PATH) === undefined) gone++;
    else assert.deepEqual(fs.readDirectory(PATH), ["file"]);
  }
  assert(gone > 0 && gone < SEEDS.disk, `${gone} of ${SEEDS.disk}`);
});

async function assertLasts(fs: CrashFileSystem, where: string): Promise<void> {
  const store = await openInMemory({}, fs);
  await store.set("key", "acknowledged");
  fs.stop();
  await store.close().catch(() => {});
  fs.restart("power");
  await using again = await openInMemory({}, fs);
  assert.equal(text(await again.get("key")), "acknowledged", where);
}
