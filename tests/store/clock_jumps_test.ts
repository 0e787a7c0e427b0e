/** A wall clock that jumps a year, stands still, or goes back: order and versions do not go by it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TestClock } from "../support/test_clock.ts";
import { openInMemory, scanAll, text } from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;
const YEAR_MS = 365 * 24 * 3_600_000;
const HOUR_MS = 3_600_000;
const SEEDS = 12;
const STEPS = 80;

/** The newest write of a key. */
interface Newest {
  value: string | undefined;
  version: number;
  expiresAt: number;
}

/** How the wall clock moves from one step to the next. */
const MOVES: Record<string, (now: number, random: SeededRandom) => number> = {
  "frozen": (now) => now,
  "a year forward and back": (now, random) => now + random.pick([-YEAR_MS, 0, 0, YEAR_MS]),
  "always back": (now, random) => now - random.below(HOUR_MS),
  "to the epoch and far ahead": (_now, random) => random.pick([1, YEAR_MS, 50 * YEAR_MS, 2 ** 42]),
};

for (const [how, move] of Object.entries(MOVES)) {
  test(`clock ${how}: the last write of a key wins, whatever time it was`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new SeededRandom(seed);
      const clock = new TestClock();
      const options = { clock, segmentBytesMax: 4096 };
      const fs = new MemoryFileSystem();
      const written = new Map<string, Newest>();
      let store = await openInMemory(options, fs);
      let lastVersion = 0;
      for (let step = 0; step < STEPS; step++) {
        clock.setNow(Math.max(1, move(clock.now(), random)));
        const key = `key ${random.below(6)}`;
        const value = `${step} `.padEnd(random.below(400), "x");
        switch (random.below(8)) {
          case 0:
            if (!store.has(key)) break;
            written.set(key, { value: undefined, ...await store.delete(key), expiresAt: 0 });
            break;
          case 1:
            await store.compact();
            break;
          case 2:
            await store.close();
            store = await openInMemory(options, fs);
            break;
          case 3: {
            const expiresAt = clock.now() + random.pick([1, HOUR_MS, 2 * YEAR_MS]);
            written.set(key, { value, ...await store.set(key, value, { expiresAt }), expiresAt });
            break;
          }
          default:
            written.set(key, { value, ...await store.set(key, value), expiresAt: 0 });
        }
        const { version } = store.stats();
        assert(version >= lastVersion, "versions go up whatever the clock does");
        lastVersion = version;
      }
      await store.close();
      store = await openInMemory(options, fs);
      const found = new Map((await scanAll(store)).map((entry) => [entry.key, entry]));
      for (const [key, { value, version, expiresAt }] of written) {
        const entry = found.get(key);
        const what = `seed ${seed}, ${key}`;
        if (value === undefined || (expiresAt !== 0 && expiresAt <= clock.now())) {
          assert.equal(entry, undefined, `${what} came back`);
        } else if (entry === undefined) {
          // Only what had an end can be gone: it was over when the clock was ahead.
          assert(expiresAt !== 0, `${what} is lost`);
        } else {
          assert.deepEqual([text(entry.value), entry.version], [value, version], what);
        }
      }
      assert.equal([...found.keys()].filter((key) => !written.has(key)).length, 0);
      await store.close();
    }
  });
}

test("a frozen clock stops no write, no sync and no compaction", {
  timeout: TIMEOUT_MS,
}, async () => {
  const clock = new TestClock({ nowMs: 1 });
  const fs = new MemoryFileSystem();
  const store = await openInMemory({ clock, segmentBytesMax: 4096 }, fs);
  const writes = Array.from(
    { length: 100 },
    (_, index) => store.set(`key ${index % 7}`, "x".repeat(200)),
  );
  await Promise.all(writes);
  await store.flush();
  assert((await store.compact()).segmentsBefore > 0);
  assert.equal(store.size, 7);
  await store.close();
});
