/** `cairn serve`, killed at random moments under writers that keep account of every answer. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { CAIRN, cairn, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { counted } from "../support/counted.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { WriteLog } from "../support/write_log.ts";

const ROUNDS = Number(process.env["CAIRN_KILL_ROUNDS"] ?? 15);
const ROUND_MS_MAX = 20_000;
const WRITERS = 6;
const KEYS_EACH = 8;
const skipped = existsSync(CAIRN) ? undefined : "the executable is not built";

testUnless(skipped, `serve: ${ROUNDS} kills lose no acknowledged write`, async () => {
  using directory = new TemporaryDirectory();
  const random = new SeededRandom(Date.now());
  const log = new WriteLog();
  let sequence = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const context = `round ${round}, seed ${random.seed}`;
    try {
      await using server = await startServer(directory.path, ["--log-level", "error"]);
      await assertServes(server, log);
      const writers = Array.from({ length: WRITERS }, (_, writer) => {
        return writeUntilKilled(server, log, writer, random, () => ++sequence);
      });
      await new Promise((resolve) => setTimeout(resolve, random.between(5, 500)));
      await server.stop("SIGKILL");
      await Promise.all(writers);
      const report = await KvStore.verify(directory.path);
      assert.deepEqual(report.problems, []);
      log.check(await valuesIn(directory.path));
      if (round % 4 === 0) {
        await cairn(["compact", "--db", directory.path]);
        log.check(await valuesIn(directory.path));
      }
    } catch (error) {
      throw new Error(`${context}: ${(error as Error).message}`, { cause: error });
    }
  }
  const { acknowledgedCount } = log;
  assert(acknowledgedCount > ROUNDS * WRITERS, `${acknowledgedCount} acknowledged writes`);
  counted(`${ROUNDS} kills of serve, ${acknowledgedCount} writes acknowledged`);
}, ROUNDS * ROUND_MS_MAX);

/** Sets and deletes keys of its own, one after the other, until the server is gone. */
async function writeUntilKilled(
  server: ServerProcess,
  log: WriteLog,
  writer: number,
  random: SeededRandom,
  nextSequence: () => number,
): Promise<void> {
  while (true) {
    const key = keyOf(writer, random.below(KEYS_EACH));
    const isDelete = log.newest(key) !== undefined && random.chance(0.25);
    const value = isDelete
      ? undefined
      : `${nextSequence()} `.padEnd(random.pick([10, 200, 5000]), "-");
    const request = log.issue(key, value);
    let status: number;
    try {
      const response = await fetch(urlOf(server, key), {
        method: isDelete ? "DELETE" : "PUT",
        ...(value === undefined ? {} : { body: value }),
      });
      await response.body?.cancel();
      status = response.status;
    } catch {
      return; // killed: whether it was done is not known
    }
    assert([201, 204].includes(status), `${isDelete ? "DELETE" : "PUT"} ${key}: ${status}`);
    log.acknowledge(request);
  }
}

/** The server answers with what was found on disk before it started. */
async function assertServes(server: ServerProcess, log: WriteLog): Promise<void> {
  for (let writer = 0; writer < WRITERS; writer++) {
    for (let index = 0; index < KEYS_EACH; index++) {
      const key = keyOf(writer, index);
      const response = await fetch(urlOf(server, key));
      const body = await response.text();
      assert.equal(response.status === 404 ? undefined : body, log.newest(key), key);
    }
  }
}

async function valuesIn(directory: string): Promise<Map<string, string>> {
  await using store = await KvStore.open(directory, { readOnly: true });
  const values = new Map<string, string>();
  for await (const { key, value } of store.scan()) {
    values.set(key, new TextDecoder().decode(value));
  }
  return values;
}

function keyOf(writer: number, index: number): string {
  return `writer-${writer}/key-${index}`;
}

function urlOf(server: ServerProcess, key: string): string {
  return `${server.url}/v1/kv/${encodeURIComponent(key)}`;
}
