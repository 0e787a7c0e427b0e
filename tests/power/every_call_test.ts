/** The power is cut right before each change that a store makes, on real file systems. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { KvStore } from "../../lib/mod.ts";
import { counted } from "../support/counted.ts";
import {
  LOOP_FILE_SYSTEMS,
  LoopFileSystem,
  loopFileSystemProblem,
} from "../support/loop_file_system.ts";
import { assertFollows, assertSame, contentsOf, NOTHING } from "../support/planned_writes.ts";
import { runProgram } from "../support/program_run.ts";
import { ROTATION_STEPS } from "../support/rotation_plan.ts";
import { bunPath } from "../support/runtimes.ts";
import { testUnless } from "../support/test_unless.ts";

const CHILD = fileURLToPath(new URL("children/cut_at_call.ts", import.meta.url));
const RUNS_ALL = process.env["CAIRN_POWER_ROUNDS"] !== undefined;
/** By default every so manieth call; from one kind of file system to the next, others of them. */
const STEP = 11;
const TIMEOUT_MS = RUNS_ALL ? 3_600_000 : 120_000;
const PLAN = { start: NOTHING, steps: ROTATION_STEPS };

for (const [offset, kind] of LOOP_FILE_SYSTEMS.entries()) {
  const skipped = loopFileSystemProblem(kind) ??
    (bunPath === undefined ? "no Bun here" : undefined);
  testUnless(skipped, `power: cut before each call, on ${kind.name}`, async () => {
    using disk = new LoopFileSystem(kind);
    const { stdout, stderr } = await runProgram([bunPath!, CHILD, `${disk.path}/whole`, "0"]);
    const callCount = Number(/(\d+) calls\n$/.exec(stdout)?.[1]);
    assert(callCount > 80, `${callCount} calls: ${stderr}`);
    const step = RUNS_ALL ? 1 : STEP;
    let cutCount = 0;
    for (let call = 1 + offset % step; call <= callCount; call += step) {
      for (const flushesJournal of RUNS_ALL ? [false, true] : [call % 2 === 0]) {
        const directory = `${disk.path}/${call}-${flushesJournal}`;
        try {
          await cutBefore(disk, call, flushesJournal, directory);
          cutCount++;
        } catch (error) {
          const how = flushesJournal ? "with the journal flushed" : "at once";
          const where = `cut ${how} before call ${call}`;
          throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
    counted(`${cutCount} cuts before ${callCount} calls, on ${kind.name}`);
  }, TIMEOUT_MS);
}

async function cutBefore(
  disk: LoopFileSystem,
  call: number,
  flushesJournal: boolean,
  directory: string,
): Promise<void> {
  const cut = disk.cutCommand(flushesJournal);
  const { stdout, stderr } = await runProgram([bunPath!, CHILD, directory, `${call}`, ...cut]);
  // Which thread syncs depends on how long the last one took, and so do a few calls.
  if (/calls\n$/.test(stdout)) disk.cutPower(flushesJournal);
  else assert.match(stdout, /(?:^|\n)cut\n$/, stderr);
  disk.restorePower();
  const acknowledged = stdout.split("acknowledged\n").length - 1;
  const isStore = existsSync(`${directory}/wal/ACTIVE`);
  const found = isStore ? await contentsOf(directory) : NOTHING;
  assertFollows(found, PLAN, acknowledged);
  if (isStore) assert.deepEqual((await KvStore.verify(directory)).problems, []);
  await using store = await KvStore.open(directory);
  await store.compact();
  await store.close();
  assertSame(await contentsOf(directory), found);
  const report = await KvStore.verify(directory);
  assert.deepEqual([report.problems, report.tornBytes], [[], 0]);
}
