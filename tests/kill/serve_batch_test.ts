/**
 * `cairn serve --durability batch`, killed at random moments under writers. What a flush has
 * answered for is there; of the rest a first part, in the order in which the server took it.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { KvStore, type WriteResult } from "../../lib/mod.ts";
import { CAIRN, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { counted } from "../support/counted.ts";
import { type FoundStore, OrderedWriteLog } from "../support/ordered_write_log.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const ROUNDS = Number(process.env["CAIRN_KILL_ROUNDS"] ?? 10);
const ROUND_MS_MAX = 20_000;
const WRITERS = 6;
const KEYS_EACH = 8;
/** Syncs now and then; or never, and writes to files only as its buffer, 1 MiB, is full. */
const POLICIES = [
  ["--batch-bytes", "16384", "--batch-millis", "20", "--segment-bytes", "65536"],
  ["--batch-bytes", `${1 << 30}`, "--batch-millis", "3600000"],
];
const skipped = existsSync(CAIRN) ? undefined : "the executable is not built";

testUnless(
  skipped,
  `serve with batch durability: ${ROUNDS} kills, what is left is a prefix`,
  async () => {
    using directory = new TemporaryDirectory();
    const random = new SeededRandom(Date.now());
    const log = new OrderedWriteLog();
    for (let round = 0; round < ROUNDS; round++) {
      try {
        const policy = POLICIES[round % 2]!;
        await using server = await startServer(
          directory.path,
          ["--log-level", "error", "--durability", "batch", ...policy],
        );
        await assertServes(server, log);
        const life: Life = { server, log, random, isOver: false };
        const clients = [
          flushOn(life),
          ...Array.from({ length: WRITERS }, (_, id) => writeOn(life, id)),
        ];
        await new Promise((resolve) => setTimeout(resolve, random.between(5, 400)));
        const before = log.acknowledgedCount;
        while (log.acknowledgedCount === before) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        await server.stop("SIGKILL");
        life.isOver = true;
        await Promise.all(clients);
        assert.deepEqual((await KvStore.verify(directory.path)).problems, []);
        log.check(await foundIn(directory.path));
      } catch (error) {
        const where = `round ${round}, seed ${random.seed}`;
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      }
    }
    const { acknowledgedCount, lostCount } = log;
    assert(lostCount > 0, "nothing was lost, so nothing was put to the proof");
    counted(
      `${ROUNDS} kills of serve with batch durability, ${acknowledgedCount} writes acknowledged, ` +
        `of which ${lostCount} that no flush had covered were lost`,
    );
  },
  ROUNDS * ROUND_MS_MAX,
);

interface Life {
  server: ServerProcess;
  log: OrderedWriteLog;
  random: SeededRandom;
  isOver: boolean;
}

/** Sets and deletes keys of its own, one after the other, until the server is gone. */
async function writeOn({ server, log, random }: Life, id: number): Promise<void> {
  for (let count = 0;; count++) {
    const key = keyOf(id, random.below(KEYS_EACH));
    const isDelete = log.newestOf(key) !== undefined && random.chance(0.25);
    const value = isDelete
      ? undefined
      : `${log.acknowledgedCount}.${id}.${count} `.padEnd(random.pick([10, 200, 5000]), "-");
    const write = log.issue(key, value);
    const version = value === undefined
      ? await versionOfDelete(server, key)
      : await versionOfSet(server, key, value);
    if (version === undefined) return;
    log.acknowledge(write, version);
  }
}

async function versionOfSet(
  server: ServerProcess,
  key: string,
  value: string,
): Promise<number | undefined> {
  const answer = await answerOf(urlOf(server, key), { method: "PUT", body: value });
  return answer === undefined ? undefined : Number(/^"(\d+)"$/.exec(answer.etag!)![1]);
}

/** A DELETE does not say which version it has. */
async function versionOfDelete(server: ServerProcess, key: string): Promise<number | undefined> {
  const answer = await answerOf(`${server.url}/v1/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ops: [{ op: "del", key }] }),
  });
  return answer === undefined ? undefined : (JSON.parse(answer.text) as WriteResult).version;
}

/** Asks now and then for what was answered to be made durable. */
async function flushOn(life: Life): Promise<void> {
  const { server, log, random } = life;
  while (!life.isOver) {
    await new Promise((resolve) => setTimeout(resolve, random.between(1, 80)));
    const { newest } = log;
    if (await answerOf(`${server.url}/v1/flush`, { method: "POST" }) === undefined) return;
    log.promise(newest);
  }
}

/** What the server answers; undefined if it was killed, and nobody knows what it did. */
async function answerOf(
  url: string,
  init: RequestInit,
): Promise<{ text: string; etag: string | null } | undefined> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, init);
    text = await response.text();
  } catch {
    return undefined;
  }
  assert(response.ok, `${init.method} ${url}: ${response.status} ${text}`);
  return { text, etag: response.headers.get("etag") };
}

/** The server answers with what was found on disk before it started. */
async function assertServes(server: ServerProcess, log: OrderedWriteLog): Promise<void> {
  for (let writer = 0; writer < WRITERS; writer++) {
    for (let index = 0; index < KEYS_EACH; index++) {
      const key = keyOf(writer, index);
      const response = await fetch(urlOf(server, key));
      const body = await response.text();
      assert.equal(response.status === 404 ? undefined : body, log.newestOf(key), key);
    }
  }
}

async function foundIn(directory: string): Promise<FoundStore> {
  await using store = await KvStore.open(directory, { readOnly: true });
  const entries = new Map<string, { value: string; version: number }>();
  for await (const { key, value, version } of store.scan()) {
    entries.set(key, { value: new TextDecoder().decode(value), version });
  }
  return { version: store.stats().version, entries };
}

function keyOf(writer: number, index: number): string {
  return `writer-${writer}/key-${index}`;
}

function urlOf(server: ServerProcess, key: string): string {
  return `${server.url}/v1/kv/${encodeURIComponent(key)}`;
}
