/**
 * The order in which the executable writes, syncs, renames, removes and answers. ext4 and XFS bring
 * the names of files to the disk with any fsync whatever, so that there a forgotten fsync of a
 * directory shows nowhere but here.
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { killSkipped } from "../support/kill_skipped.ts";
import { churn, prepareStore } from "../support/prepared_store.ts";
import { PrivateExecutable } from "../support/private_executable.ts";
import { type TracedCall, tracedCalls } from "../support/system_calls.ts";
import { testUnless } from "../support/test_unless.ts";

const WAL = "db/wal";

testUnless(killSkipped, "order: the set that creates a store", async () => {
  using executable = new PrivateExecutable();
  mkdirSync(executable.join("base"));
  await assertOrder(executable, ["set", "--json", "a", "1"], { renames: 2, unlinks: 0 });
});

testUnless(killSkipped, "order: a set and a del", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), [[["a", "1"], ["b", "2"]]]);
  await assertOrder(executable, ["set", "--json", "c", "3"], { renames: 0, unlinks: 0 });
  await assertOrder(executable, ["del", "--json", "a", "b"], { renames: 0, unlinks: 0 });
});

testUnless(killSkipped, "order: compact", async () => {
  using executable = new PrivateExecutable();
  await prepareStore(executable.join("base"), churn(60, 200), { segmentBytesMax: 4096 });
  // ACTIVE for the rotation, the hint, ACTIVE again; and at least two segments.
  await assertOrder(executable, ["compact"], { renames: 3, unlinks: 2 });
});

async function assertOrder(
  executable: PrivateExecutable,
  [command, ...args]: string[],
  expected: { renames: number; unlinks: number },
): Promise<void> {
  const base = executable.join("base");
  const run = [executable.path, command!, "--db", `${base}/db`, ...args];
  const calls = (await tracedCalls(run, base))
    .filter(({ call, creates }) => call !== "openat" || creates);
  const checker = new OrderChecker();
  for (const call of calls) checker.take(call);
  checker.end();
  assert(checker.renameCount >= expected.renames, `${checker.renameCount} renames`);
  assert(checker.unlinkCount >= expected.unlinks, `${checker.unlinkCount} removals`);
}

/** Follows the calls, and knows at each moment what a power cut could take away. */
class OrderChecker {
  renameCount = 0;
  unlinkCount = 0;
  /** Files with contents that are not durable. */
  #unsynced = new Set<string>();
  /** Names made in the log's directory that are not durable. */
  #created = new Set<string>();
  #renamed = new Set<string>();
  #removed = new Set<string>();

  take({ call, path, newPath, creates }: TracedCall): void {
    if (creates) this.#created.add(path);
    if (/^(?:pwrite|write|ftruncate)/.test(call) && path !== "db/LOCK") this.#unsynced.add(path);
    if (call === "fdatasync" || call === "fsync") {
      this.#unsynced.delete(path);
      if (path === WAL) {
        for (const names of [this.#created, this.#renamed, this.#removed]) names.clear();
      }
    }
    if (call.startsWith("rename")) this.#rename(path, newPath!);
    if (call.startsWith("unlink") && path.startsWith(WAL)) this.#unlink(path);
    if (call === "print") this.#assertDurable("the answer");
  }

  end(): void {
    this.#assertDurable("the end");
    assert.deepEqual([...this.#removed], [], "removed, and not synced before the end");
  }

  #rename(path: string, newPath: string): void {
    this.renameCount++;
    assert(!this.#unsynced.has(path), `${path} is renamed before it is synced`);
    this.#created.delete(path);
    if (newPath === `${WAL}/ACTIVE`) {
      // It is about to name them.
      this.#assertDurable("ACTIVE");
      const segments = [...this.#created].filter((name) => name.endsWith(".log"));
      assert.deepEqual(segments, [], "the name is not synced before ACTIVE");
    }
    this.#renamed.add(newPath);
  }

  #unlink(path: string): void {
    this.unlinkCount++;
    this.#assertDurable(`${path} is removed`);
    this.#removed.add(path);
  }

  #assertDurable(before: string): void {
    const unsynced = [...this.#unsynced].filter((path) => path.endsWith(".log"));
    assert.deepEqual(unsynced, [], `written, and not synced before ${before}`);
    assert.deepEqual([...this.#renamed], [], `renamed, and not synced before ${before}`);
  }
}
