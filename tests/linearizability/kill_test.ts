/**
 * Many clients of the executable over HTTP, while it is killed (SIGKILL) and started again on the
 * same directory: one history, across all its lives. What got no answer may have happened or not.
 * The random choices repeat with the seed; the moment a kill strikes does not.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { CAIRN, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { tally } from "../support/counted.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { assertLinearizable } from "./checker.ts";
import { HistoryRecorder } from "./history_recorder.ts";
import { performOver } from "./http_client.ts";
import { forEachSeedAsync, TIMEOUT_MS } from "./seeds.ts";
import { Client, type Workload } from "./workload.ts";

const HISTORIES = 1;
const CLIENTS = 16;
const KILLS = 5;
const LIFE_MS_MAX = 300;
/** Answers that a life must give before it may end, or kills would strike idle servers only. */
const ANSWERS_MIN = 100;

const noteKill = tally("kills of a server in the midst of a history");

const NAME = "clients of a server that is killed and started again see one order of events";

if (existsSync(CAIRN)) test(NAME, { timeout: TIMEOUT_MS }, checkRuns);
else testUnless('no executable, run "deno task build"', NAME, checkRuns);

async function checkRuns(): Promise<void> {
  await forEachSeedAsync(HISTORIES, "its choices, not its timing", async (seed) => {
    await checkRun(new SeededRandom(seed));
  });
}

async function checkRun(random: SeededRandom): Promise<void> {
  using directory = new TemporaryDirectory();
  const recorder = new HistoryRecorder();
  const workload: Workload = { recorder, random, values: { count: 0 }, special: "ifPresent" };
  const clients = Array.from({ length: CLIENTS }, (_, id) => new Client(id, workload));
  for (let life = 0; life <= KILLS; life++) {
    const unknownBefore = recorder.unknownCount;
    await using server = await startServer(directory.path);
    await clients[0]!.readAll((action) => performOver(server.url, action));
    const state = { isOver: false, answers: 0 };
    const working = Promise.all(clients.map((client) => work(client, server, state)));
    // Whatever goes wrong in a client is thrown where it is waited for.
    working.catch(() => state.isOver = true);
    await untilWorked(state, random.between(0, LIFE_MS_MAX));
    if (life < KILLS) {
      await server.stop("SIGKILL");
      noteKill();
    }
    state.isOver = true;
    await working;
    if (life < KILLS) {
      assert(recorder.unknownCount > unknownBefore, "kills strike while operations are under way");
    } else {
      assert.equal(recorder.unknownCount, unknownBefore, "a server that lives answers");
      assert.equal((await server.stop()).exitCode, 0);
    }
  }
  assertLinearizable(recorder.operations, `${CLIENTS} clients, ${KILLS} kills`);
}

interface Life {
  isOver: boolean;
  answers: number;
}

/** Does one operation after the other, until the server is gone. */
async function work(client: Client, { url }: ServerProcess, life: Life): Promise<void> {
  while (!life.isOver) {
    if (await client.act((action) => performOver(url, action)) === undefined) return;
    life.answers++;
  }
}

async function untilWorked(life: Life, ms: number): Promise<void> {
  const started = performance.now();
  while (!life.isOver && (life.answers < ANSWERS_MIN || performance.now() - started < ms)) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
