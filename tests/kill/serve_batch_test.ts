/**
 * `cairn serve --durability batch`, killed at random moments under writers. What a flush has
 * answered for is there; of the rest a first part, in the order in which the server took it.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { CAIRN, startServer } from "../support/cairn_process.ts";
import { counted } from "../support/counted.ts";
import { OrderedWriteLog } from "../support/ordered_write_log.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { assertServes, foundIn, ServerLoad } from "../support/server_load.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const ROUNDS = Number(process.env["CAIRN_KILL_ROUNDS"] ?? 10);
const ROUND_MS_MAX = 20_000;
/** Syncs now and then; or never, and writes to files only as its buffer, 1 MiB, is full. */
const POLICIES = [
  ["--batch-bytes", "16384", "--batch-millis", "20", "--segment-bytes", "65536"],
  ["--batch-bytes", `${1 << 30}`, "--batch-millis", "3600000"],
];
const skipped = existsSync(CAIRN) ? undefined : "the executable is not built";

testUnless(skipped, `serve, batches: ${ROUNDS} kills leave a prefix of all writes`, async () => {
  using directory = new TemporaryDirectory();
  const random = new SeededRandom(Date.now());
  const log = new OrderedWriteLog();
  for (let round = 0; round < ROUNDS; round++) {
    try {
      const policy = ["--durability", "batch", ...POLICIES[round % POLICIES.length]!];
      await using server = await startServer(directory.path, ["--log-level", "error", ...policy]);
      await assertServes(server, log);
      const load = new ServerLoad(server, log, random, "batch");
      await load.goOn(random.between(5, 400));
      await server.stop("SIGKILL");
      await load.end();
      log.check(await foundIn(directory.path));
    } catch (error) {
      const where = `round ${round}, seed ${random.seed}`;
      throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
    }
  }
  const { acknowledgedCount, lostCount } = log;
  assert(lostCount > 0, "nothing was lost, so nothing was put to the proof");
  counted(
    `${ROUNDS} kills of serve with batches, ${acknowledgedCount} writes acknowledged, ` +
      `${lostCount} of them lost that no flush had covered`,
  );
}, ROUNDS * ROUND_MS_MAX);
