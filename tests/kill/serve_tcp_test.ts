/** `cairn serve`, killed under pipelines of both protocols: what got its OK is there. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { RawClient } from "../tcp/raw_client.ts";
import { CAIRN, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { type Request, WriteLog } from "../support/write_log.ts";

const ROUNDS = Number(process.env["CAIRN_KILL_ROUNDS"] ?? 10);
const ROUND_MS_MAX = 20_000;
const CLIENTS = 4;
const KEYS_EACH = 16;
const IN_FLIGHT_MAX = 64;
const skipped = existsSync(CAIRN) ? undefined : "the executable is not built";

testUnless(
  skipped,
  `serve: ${ROUNDS} kills under pipelines lose nothing acknowledged`,
  async () => {
    using directory = new TemporaryDirectory();
    const random = new SeededRandom(Date.now());
    const log = new WriteLog();
    let sequence = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const context = `round ${round}, seed ${random.seed}`;
      try {
        // Every other server has connections on a thread that is not the one that writes.
        const threads = ["--threads", String(1 + round % 2)];
        await using server = await startServer(directory.path, [
          ...["--log-level", "error"],
          ...(process.platform === "linux" ? threads : []),
        ]);
        const clients = Array.from(
          { length: CLIENTS },
          (_, number) => pipeline(server, log, number, random, () => ++sequence),
        );
        await new Promise((resolve) => setTimeout(resolve, random.between(5, 300)));
        await server.stop("SIGKILL");
        await Promise.all(clients);
        assert.deepEqual((await KvStore.verify(directory.path)).problems, []);
        log.check(await valuesIn(directory.path));
      } catch (error) {
        throw new Error(`${context}: ${(error as Error).message}`, { cause: error });
      }
    }
    assert(
      log.acknowledgedCount > ROUNDS * CLIENTS,
      `${log.acknowledgedCount} acknowledged writes`,
    );
  },
  ROUNDS * ROUND_MS_MAX,
);

/** How a protocol writes a set of text that is ASCII, and what it answers. */
const PROTOCOLS = [
  {
    set: (key: string, value: string) => `SET ${key} ${value.length}\n${value}`,
    done: "OK\n",
  },
  {
    set: (key: string, value: string) =>
      `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`,
    done: "+OK\r\n",
  },
] as const;

/** Sends sets of keys of its own, many at a time, until the server is gone. */
async function pipeline(
  server: ServerProcess,
  log: WriteLog,
  number: number,
  random: SeededRandom,
  nextSequence: () => number,
): Promise<void> {
  const { set, done } = PROTOCOLS[number % PROTOCOLS.length]!;
  using client = await RawClient.connect(server.tcpPort);
  const inFlight: Request[] = [];
  let answered = 0;
  while (!client.isClosed) {
    let batch = "";
    while (inFlight.length < IN_FLIGHT_MAX) {
      const key = `client-${number}/key-${random.below(KEYS_EACH)}`;
      const value = `${nextSequence()} `.padEnd(random.pick([10, 200, 5000]), "-");
      inFlight.push(log.issue(key, value));
      batch += set(key, value);
    }
    client.send(batch);
    await client.until((text) => client.isClosed || text.length >= answered + done.length);
    // Replies keep the order of commands; one that is cut short does not count.
    for (; client.text.length >= answered + done.length; answered += done.length) {
      assert.equal(client.text.slice(answered, answered + done.length), done);
      log.acknowledge(inFlight.shift()!);
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
