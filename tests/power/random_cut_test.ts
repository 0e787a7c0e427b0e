/**
 * The power is cut at random moments under many writers, while segments fill up, are compacted, and
 * are recovered from the cut before. One store goes through all rounds.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { KvStore } from "../../lib/mod.ts";
import { counted } from "../support/counted.ts";
import {
  LOOP_FILE_SYSTEMS,
  LoopFileSystem,
  loopFileSystemProblem,
} from "../support/loop_file_system.ts";
import { runProgram } from "../support/program_run.ts";
import { bunPath } from "../support/runtimes.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { nameOf } from "../support/stored_value.ts";
import { testUnless } from "../support/test_unless.ts";
import { type Request, WriteLog } from "../support/write_log.ts";

const CHILD = fileURLToPath(new URL("children/write_much.ts", import.meta.url));
const ROUNDS = Number(process.env["CAIRN_POWER_ROUNDS"] ?? 6);

const ROUND_MS_MAX = 20_000;

/** When the cut comes; the first time there is nothing yet to be opened. */
const MOMENTS = ["writing", "compacting", "opening", "compacting"];

for (const kind of LOOP_FILE_SYSTEMS) {
  const skipped = loopFileSystemProblem(kind) ??
    (bunPath === undefined ? "no Bun here" : undefined);
  testUnless(skipped, `power: ${ROUNDS} random cuts on ${kind.name}`, async () => {
    using disk = new LoopFileSystem(kind);
    const random = new SeededRandom(Date.now());
    const log = new WriteLog();
    for (let round = 0; round < ROUNDS; round++) {
      try {
        await writeUntilCut(disk, log, round, random);
        disk.restorePower();
        await check(`${disk.path}/store`, log);
      } catch (error) {
        const where = `round ${round}, seed ${random.seed}`;
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      }
    }
    const { acknowledgedCount } = log;
    assert(acknowledgedCount > ROUNDS * 10, `${acknowledgedCount} acknowledged writes`);
    counted(`${ROUNDS} random cuts, ${acknowledgedCount} writes acknowledged, on ${kind.name}`);
  }, ROUNDS * ROUND_MS_MAX);
}

/** Lets the writers work for a while, then cuts the power under them. */
async function writeUntilCut(
  disk: LoopFileSystem,
  log: WriteLog,
  round: number,
  random: SeededRandom,
): Promise<void> {
  const moment = MOMENTS[round % MOMENTS.length]!;
  const cut = disk.cutCommand(random.chance(0.5));
  const args = [`${disk.path}/store`, `${round}`, `${random.below(1 << 30)}`, moment, ...cut];
  const { stdout, stderr } = await runProgram([bunPath!, CHILD, ...args]);
  assert.match(stdout, /(?:^|\n)cut\n$/, stderr);
  const requests = new Map<string, Request>();
  for (const line of stdout.split("\n")) {
    const [what, id, key, name] = line.split(" ");
    if (what === "?") requests.set(id!, log.issue(key!, name === "" ? undefined : name));
    if (what === "!") log.acknowledge(requests.get(id!)!);
  }
}

async function check(directory: string, log: WriteLog): Promise<void> {
  assert.deepEqual((await KvStore.verify(directory)).problems, []);
  const names = await namesIn(directory, true);
  log.check(names);
  const batch = [0, 1, 2].map((index) => names.get(`batch/${index}`));
  assert.equal(new Set(batch).size, 1, `a batch is not whole: ${batch}`);
  assert.deepEqual(await namesIn(directory, false), names, "opening it changed what it holds");
  const report = await KvStore.verify(directory);
  assert.deepEqual([report.problems, report.tornBytes], [[], 0]);
}

async function namesIn(directory: string, readOnly: boolean): Promise<Map<string, string>> {
  await using store = await KvStore.open(directory, { readOnly });
  const names = new Map<string, string>();
  for await (const { key, value } of store.scan()) {
    names.set(key, nameOf(new TextDecoder().decode(value)));
  }
  return names;
}
