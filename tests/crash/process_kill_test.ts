/** Processes killed with kill -9: what was acknowledged is there, in either runtime. */

import assert from "node:assert/strict";
import { KvStore } from "../../lib/store/store.ts";
import { ChildScript, reasonAgainst, RUNTIMES } from "../support/child_script.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { scanAll, text } from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";

const ROUNDS = 10;
const KEYS = 500;

for (const runtime of Object.keys(RUNTIMES)) {
  for (const how of ["async", "sync"]) {
    testUnless(reasonAgainst(runtime), `${runtime}: a set (${how}), kill -9, get`, async () => {
      using directory = new TemporaryDirectory();
      const path = directory.join("store");
      await using child = new ChildScript(runtime, "set_once.ts", path, how);
      assert.equal(await child.line(), "acknowledged");
      await child.kill();
      await using store = await KvStore.open(path);
      assert.equal(text(await store.get("greeting")), "hello");
    });
  }

  testUnless(
    reasonAgainst(runtime),
    `${runtime}: kill -9 in the midst of a bulk load`,
    async () => {
      using directory = new TemporaryDirectory();
      const path = directory.join("store");
      const random = new SeededRandom(1);
      /** The newest acknowledged write of each key, by what came of all rounds. */
      const acknowledged = new Map<string, number>();
      let next = 0;
      for (let round = 0; round < ROUNDS; round++) {
        await using child = new ChildScript(
          runtime,
          "bulk_load.ts",
          path,
          String(next),
          String(KEYS),
        );
        await child.line();
        await new Promise((resolve) => setTimeout(resolve, random.between(1, 120)));
        await child.kill();
        for (const number of child.lines.map(Number)) {
          for (const key of number % 10 === 0 ? ["left", "right"] : [`key ${number % KEYS}`]) {
            acknowledged.set(key, Math.max(number, acknowledged.get(key) ?? 0));
          }
          // Writes that were under way may be there, and must not be taken for later ones.
          next = Math.max(next, number + 1000);
        }
        await assertHolds(path, acknowledged, `round ${round}`);
      }
      assert(acknowledged.size > 100);
    },
  );
}

/** Every acknowledged write is there, or a later one of its key; and both keys of the batches. */
async function assertHolds(
  path: string,
  acknowledged: ReadonlyMap<string, number>,
  what: string,
): Promise<void> {
  assert.deepEqual((await KvStore.verify(path)).problems, [], what);
  await using store = await KvStore.open(path, { compaction: { auto: false } });
  const found = new Map<string, string>();
  for (const { key, value } of await scanAll(store)) found.set(key, text(value)!);
  for (const [key, number] of acknowledged) {
    const value = found.get(key);
    assert(value !== undefined, `${what}: ${key} is missing`);
    assert(parseInt(value) >= number, `${what}: ${key} is ${parseInt(value)}, not ${number}`);
    assert.equal(value, `${parseInt(value)} `.padEnd(100, "x"));
  }
  assert.equal(found.get("left"), found.get("right"), `${what}: half a batch`);
}
