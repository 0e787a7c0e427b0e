/** The power is cut under `cairn serve`, at random moments, while clients write over HTTP. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { CAIRN, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { counted } from "../support/counted.ts";
import {
  LOOP_FILE_SYSTEMS,
  LoopFileSystem,
  loopFileSystemProblem,
} from "../support/loop_file_system.ts";
import { OrderedWriteLog } from "../support/ordered_write_log.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { assertServes, type Durability, foundIn, ServerLoad } from "../support/server_load.ts";
import { testUnless } from "../support/test_unless.ts";

const ROUNDS = Number(process.env["CAIRN_POWER_ROUNDS"] ?? 4);
const ROUND_MS_MAX = 20_000;
const DURABILITIES: readonly Durability[] = ["immediate", "batch"];
const SEGMENT_BYTES = ["--segment-bytes", "65536"];

for (const kind of LOOP_FILE_SYSTEMS) {
  const skipped = loopFileSystemProblem(kind) ??
    (existsSync(CAIRN) ? undefined : "the executable is not built");
  testUnless(skipped, `power: ${ROUNDS} random cuts under serve, on ${kind.name}`, async () => {
    using disk = new LoopFileSystem(kind);
    const directory = `${disk.path}/store`;
    const random = new SeededRandom(Date.now());
    const log = new OrderedWriteLog();
    for (let round = 0; round < ROUNDS; round++) {
      try {
        const durability = DURABILITIES[round % 2]!;
        await using server = await startServer(
          directory,
          ["--log-level", "silent", "--durability", durability, ...SEGMENT_BYTES],
        );
        await assertServes(server, log);
        const load = new ServerLoad(server, log, random, durability);
        await load.goOn(random.between(0, 300));
        await silence(server);
        disk.cutPower(random.chance(0.5));
        await server.stop("SIGKILL");
        await load.end();
        disk.restorePower();
        log.check(await foundIn(directory));
      } catch (error) {
        const where = `round ${round}, seed ${random.seed}`;
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      }
    }
    const { acknowledgedCount, lostCount } = log;
    assert(acknowledgedCount > ROUNDS, `${acknowledgedCount} acknowledged writes`);
    counted(
      `${ROUNDS} random cuts under serve, ${acknowledgedCount} writes acknowledged, ` +
        `${lostCount} of them lost that no flush had covered, on ${kind.name}`,
    );
  }, ROUNDS * ROUND_MS_MAX);
}

/**
 * Stops the server in its tracks, so that it answers nothing once the power is gone: the kernel may
 * tell it of success for what will be lost. A sync that is under way goes on, and is not heard of.
 */
async function silence(server: ServerProcess): Promise<void> {
  server.signal("SIGSTOP");
  while (true) {
    // `1234 (cairn) T …`, of the thread that answers. In D it sleeps in a call that ends in T.
    const state = /\) (\w)/.exec(readFileSync(`/proc/${server.pid}/stat`, "utf8"))?.[1];
    if (state === "T" || state === "D") return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
