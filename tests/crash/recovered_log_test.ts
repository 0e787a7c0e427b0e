/** What recovery itself writes, lost in turn: every call of it may be the last one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashFileSystem } from "../support/crash_file_system.ts";
import { equalBytes } from "../support/disk_image.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { read } from "../support/store_outcome.ts";
import { openInMemory, pattern } from "../support/test_store.ts";

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

test("what a failed fsync left in memory only is written again before anything follows it", {
  timeout: TIMEOUT_MS,
}, async () => {
  let found = 0;
  for (let seed = 0; seed < 10 * SEEDS; seed++) {
    const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
    const store = await openInMemory({}, fs);
    await store.set("a", "1");
    fs.faults.plan("sync", 1);
    await assert.rejects(store.set("b", "2"), { code: "Io" });
    await store.close().catch(() => {});
    // The process begins anew and finds in the page cache what may not be on the disk.
    fs.restart("kill");
    fs.faults.heal();
    const reopened = await openInMemory({}, fs);
    const state = (await read(reopened)).state;
    if (state["b"] !== undefined) found++;
    await reopened.set("c", "3");
    fs.stop();
    fs.restart("power");
    const again = await openInMemory({}, fs);
    assert.deepEqual((await read(again)).state, { ...state, c: "3" }, `seed ${seed}`);
  }
  assert(found > 0, "the failed write was found in memory");
});

test("closing whose fsync fails, then a process that only opens and closes, then a power cut", {
  timeout: TIMEOUT_MS,
}, async () => {
  let struck = 0;
  for (const failing of [1, 2, 3]) {
    for (let seed = 0; seed < SEEDS; seed++) {
      const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
      const store = await openInMemory({}, fs);
      await store.set("a", "1");
      await store.set("b", "2");
      fs.faults.plan("sync", failing);
      await store.close().catch(() => {});
      if (fs.faults.struck) struck++;
      fs.restart("kill");
      fs.faults.heal();
      await (await openInMemory({}, fs)).close();
      fs.restart("power");
      const again = await openInMemory({}, fs);
      assert.deepEqual((await read(again)).state, STATE, `fsync ${failing}, seed ${seed}`);
      fs.stop();
    }
  }
  assert(struck > SEEDS, "some failed");
});

test("space whose cut a failed fsync has forgotten does not come back behind a closed segment", {
  timeout: TIMEOUT_MS,
}, async () => {
  const options = { segmentBytesMax: 8192 };
  let struck = 0;
  for (let seed = 0; seed < 4 * SEEDS; seed++) {
    const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
    const store = await openInMemory(options, fs);
    const state: Record<string, string> = {};
    const set = async (into: typeof store, key: string, value: string) => {
      await into.set(key, value);
      state[key] = value;
    };
    for (let i = 0; i < 20; i++) await set(store, `key ${i}`, `${i}`);
    fs.stop();
    fs.restart("kill");
    // The space is cut off, and the fsync of that is among those that fail.
    fs.faults.plan("sync", 1 + seed % 6);
    await (await openInMemory(options, fs).catch(() => undefined))?.close().catch(() => {});
    if (fs.faults.struck) struck++;
    fs.restart("kill");
    fs.faults.heal();
    const reopened = await openInMemory(options, fs);
    await set(reopened, "long", "x".repeat(5000));
    await set(reopened, "longer", "x".repeat(6000));
    fs.stop();
    fs.restart("power");
    const again = await openInMemory(options, fs);
    assert.deepEqual((await read(again)).state, state, `seed ${seed}`);
    fs.stop();
  }
  assert(struck > SEEDS, `${struck} failed`);
});

test("of a long value that a failed fsync left in memory all of it is written again", {
  timeout: TIMEOUT_MS,
}, async () => {
  const value = pattern((2 << 20) + 999);
  for (let seed = 0; seed < SEEDS; seed++) {
    const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
    const store = await openInMemory({}, fs);
    fs.faults.plan("sync", 1);
    await assert.rejects(store.set("long", value), { code: "Io" });
    await store.close().catch(() => {});
    fs.restart("kill");
    fs.faults.heal();
    const reopened = await openInMemory({}, fs);
    const found = await reopened.get("long");
    if (found !== undefined) assert(equalBytes(found, value));
    fs.stop();
    fs.restart("power");
    const again = await openInMemory({}, fs);
    assert.equal((await again.get("long"))?.length, found?.length, `seed ${seed}`);
    fs.stop();
  }
});

test("names that a failed sync of the directory left in memory only are made durable at opening", {
  timeout: TIMEOUT_MS,
}, async () => {
  let failed = 0;
  for (let sync = 1; sync <= 24; sync++) {
    for (let seed = 0; seed < SEEDS; seed++) {
      const fs = new CrashFileSystem({ random: new SeededRandom(100 * sync + seed) });
      const options = { segmentBytesMax: 4096 };
      const store = await openInMemory(options, fs);
      const state: Record<string, string> = {};
      fs.faults.plan("sync", sync);
      for (let i = 0; i < 8 && !fs.faults.struck; i++) {
        const value = String(i).repeat(1500);
        await store.set(`${i}`, value).then(() => state[`${i}`] = value, () => {});
      }
      failed += fs.faults.struck ? 1 : 0;
      await store.close().catch(() => {});
      fs.restart("kill");
      fs.faults.heal();
      const reopened = await openInMemory(options, fs);
      await reopened.set("last", "1");
      fs.stop();
      fs.restart("power");
      const again = (await read(await openInMemory(options, fs))).state;
      for (const [key, value] of Object.entries({ ...state, last: "1" })) {
        assert.equal(again[key], value, `${key}, sync ${sync}, seed ${seed}`);
      }
    }
  }
  assert(failed > 10 * SEEDS, "syncs did fail");
});

test("a failed write that was cut off again stays away, once a process has not found it", {
  timeout: TIMEOUT_MS,
}, async () => {
  for (let seed = 0; seed < 10 * SEEDS; seed++) {
    const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
    const first = await openInMemory({}, fs);
    await first.set("a", "1");
    await first.close();
    const second = await openInMemory({}, fs);
    fs.faults.plan("write", 1);
    await assert.rejects(second.set("b", "2"), { code: "Io" });
    await second.close().catch(() => {});
    fs.restart("kill");
    fs.faults.heal();
    await live(fs, true);
    fs.restart("power");
    const again = await openInMemory({}, fs);
    assert.deepEqual((await read(again)).state, { a: "1" }, `seed ${seed}`);
  }
});
