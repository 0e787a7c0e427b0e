/**
 * Many clients of one store in one process, on a real disk, while segments are closed and compacted
 * under them. The random choices repeat with the seed; which fsync ends when does not.
 */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { KvStore } from "../../lib/store/store.ts";
import type { Durability } from "../../lib/store/types.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { turn } from "../support/test_store.ts";
import { assertLinearizable } from "./checker.ts";
import { HistoryRecorder } from "./history_recorder.ts";
import { forEachSeedAsync, TIMEOUT_MS } from "./seeds.ts";
import { performOn } from "./store_client.ts";
import { Client, type Workload } from "./workload.ts";

const HISTORIES = 2;
const OPERATIONS = 2500;
/** Operations between two flushes with a compaction each. */
const CHORES_EVERY = 600;
const DURABILITIES: Record<string, Durability> = {
  immediate: "immediate",
  batched: { bytes: 16_384, millis: 5 },
};

for (const [name, durability] of Object.entries(DURABILITIES)) {
  test(
    `concurrent clients of a store see one order of events, durability ${name}`,
    { timeout: TIMEOUT_MS },
    async () => {
      await forEachSeedAsync(HISTORIES, "its choices, not its timing", async (seed) => {
        await checkRun(new SeededRandom(seed), durability);
      });
    },
  );
}

async function checkRun(random: SeededRandom, durability: Durability): Promise<void> {
  using directory = new TemporaryDirectory();
  await using store = await KvStore.open(directory.path, {
    durability,
    segmentBytesMax: 4096,
    compaction: { deadBytesMin: 8192 },
  });
  const recorder = new HistoryRecorder();
  const workload: Workload = { recorder, random, values: { count: 0 }, special: "library" };
  const clients = random.pick([16, 32, 64]);
  const working = Promise.all(
    Array.from({ length: clients }, async (_, id) => {
      const client = new Client(id, workload);
      while (recorder.operations.length < OPERATIONS) {
        await client.act((action) => performOn(store, action, random));
        if (random.chance(0.3)) await turn();
      }
    }),
  );
  const [segmentsCompacted] = await Promise.all([keepHouse(store, recorder), working]);
  assert.equal(recorder.unknownCount, 0);
  // Whether any record had to be moved depends on how quickly the disk works beside the clients.
  assert(segmentsCompacted > 0, "segments are compacted");
  const newest = readdirSync(directory.join("wal")).sort().findLast((name) => /log$/.test(name));
  assert(parseInt(newest!) > 10, "segments are closed");
  assertLinearizable(recorder.operations, `${clients} clients`);
}

/** What an administrator might do meanwhile. Returns how many segments were compacted. */
async function keepHouse(store: KvStore, { operations }: HistoryRecorder): Promise<number> {
  let segmentsCompacted = 0;
  for (let due = CHORES_EVERY; due < OPERATIONS; due += CHORES_EVERY) {
    while (operations.length < due) await turn();
    await store.flush();
    segmentsCompacted += (await store.compact()).segmentsBefore;
  }
  return segmentsCompacted;
}
