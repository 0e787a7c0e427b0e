/**
 * A seed is the whole of a run: each call to the file system, its arguments and its outcome are the
 * same again, whatever ran before, and in whichever process. Otherwise a failure could not be
 * repeated. Only the runtime has a say: V8 and JavaScriptCore need a different number of turns of
 * their queues for one and the same async function, and so may run two of them in another order.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChildScript } from "../support/child_script.ts";
import { runCrashSeed } from "../support/crash_run.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const SEEDS = Array.from({ length: 24 }, (_, index) => 1000 + index);

async function fingerprints(seeds: readonly number[]): Promise<string[]> {
  const lines: string[] = [];
  for (const seed of seeds) lines.push(`${seed}: ${(await runCrashSeed(seed)).fingerprint}`);
  return lines.sort();
}

test("the same seeds in another order make the same calls", async () => {
  const inOrder = await fingerprints(SEEDS);
  assert.equal(new Set(inOrder.map((line) => line.split(" ")[1])).size, SEEDS.length);
  assert.deepEqual(await fingerprints(shuffled(SEEDS)), inOrder);
});

test("the same seeds make the same calls in another process", async () => {
  const runtime = "Bun" in globalThis ? "Bun" : "Deno";
  const seeds = shuffled(SEEDS).map(String);
  await using child = new ChildScript(runtime, "run_seeds.ts", ...seeds);
  await child.finish();
  assert.deepEqual([...child.lines].sort(), await fingerprints(SEEDS));
});

function shuffled(seeds: readonly number[]): number[] {
  const random = new SeededRandom(7);
  const left = [...seeds];
  return seeds.map(() => left.splice(random.below(left.length), 1)[0]!);
}
