/** Clients that keep a server busy over HTTP until it is gone, and account for every answer. */

import assert from "node:assert/strict";
import { KvStore, type WriteResult } from "../../lib/mod.ts";
import type { ServerProcess } from "./cairn_process.ts";
import type { FoundStore, OrderedWriteLog } from "./ordered_write_log.ts";
import type { SeededRandom } from "./seeded_random.ts";

const WRITERS = 6;
const KEYS_EACH = 8;
const CHORE_DELAY_MS_MAX = 80;
const COMPACTION_CHANCE = 0.15;

/** What an answer to a write promises: that it lasts, or that it will once it is flushed. */
export type Durability = "immediate" | "batch";

/** The clients of one life of a server. */
export class ServerLoad {
  readonly #server: ServerProcess;
  readonly #log: OrderedWriteLog;
  readonly #random: SeededRandom;
  readonly #durability: Durability;
  readonly #clients: Promise<void>[];
  #isOver = false;

  /** Begins to write, to flush, and to compact now and then. */
  constructor(
    server: ServerProcess,
    log: OrderedWriteLog,
    random: SeededRandom,
    durability: Durability,
  ) {
    this.#server = server;
    this.#log = log;
    this.#random = random;
    this.#durability = durability;
    const writers = Array.from({ length: WRITERS }, (_, id) => this.#writeOn(id));
    this.#clients = [...writers, this.#doChores()];
    // What goes wrong in one is thrown where all are waited for.
    void Promise.race(this.#clients.map((client) => client.catch(() => {})))
      .then(() => this.#isOver = true);
  }

  /** Resolves after so many milliseconds, and when there was some answer since, if any can come. */
  async goOn(ms: number): Promise<void> {
    await pause(ms);
    const before = this.#log.acknowledgedCount;
    while (this.#log.acknowledgedCount === before && !this.#isOver) await pause(1);
  }

  /** Resolves when all clients have noticed that the server is gone. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  /** Sets and deletes keys of its own, one after the other, until the server is gone. */
  async #writeOn(id: number): Promise<void> {
    const random = this.#random;
    const log = this.#log;
    for (let count = 0;; count++) {
      const key = keyOf(id, random.below(KEYS_EACH));
      const isDelete = log.newestOf(key) !== undefined && random.chance(0.25);
      const value = isDelete
        ? undefined
        : `${log.acknowledgedCount}.${id}.${count} `.padEnd(random.pick([10, 200, 5000]), "-");
      const write = log.issue(key, value);
      const version = value === undefined ? await this.#delete(key) : await this.#set(key, value);
      if (version === undefined) return;
      log.acknowledge(write, version);
      if (this.#durability === "immediate") log.promise(version);
    }
  }

  async #set(key: string, value: string): Promise<number | undefined> {
    const answer = await answerOf(urlOf(this.#server, key), { method: "PUT", body: value });
    return answer === undefined ? undefined : Number(/^"(\d+)"$/.exec(answer.etag!)![1]);
  }

  /** DELETE would not say which version it has. */
  async #delete(key: string): Promise<number | undefined> {
    const answer = await answerOf(`${this.#server.url}/v1/batch`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ops: [{ op: "del", key }] }),
    });
    return answer === undefined ? undefined : (JSON.parse(answer.text) as WriteResult).version;
  }

  async #doChores(): Promise<void> {
    while (!this.#isOver) {
      await pause(this.#random.between(1, CHORE_DELAY_MS_MAX));
      const { newest } = this.#log;
      const chore = this.#random.chance(COMPACTION_CHANCE) ? "compact" : "flush";
      const answer = await answerOf(`${this.#server.url}/v1/${chore}`, { method: "POST" });
      if (answer === undefined) return;
      if (chore === "flush") this.#log.promise(newest);
    }
  }
}

/** Expects a server that was just started to answer with what was found on disk before. */
export async function assertServes(server: ServerProcess, log: OrderedWriteLog): Promise<void> {
  for (let writer = 0; writer < WRITERS; writer++) {
    for (let index = 0; index < KEYS_EACH; index++) {
      const key = keyOf(writer, index);
      const response = await fetch(urlOf(server, key));
      const body = await response.text();
      assert.equal(response.status === 404 ? undefined : body, log.newestOf(key), key);
    }
  }
}

/** What is in the store, read without changing anything; what `verify` finds must be nothing. */
export async function foundIn(directory: string): Promise<FoundStore> {
  assert.deepEqual((await KvStore.verify(directory)).problems, []);
  await using store = await KvStore.open(directory, { readOnly: true });
  const entries = new Map<string, { value: string; version: number }>();
  for await (const { key, value, version } of store.scan()) {
    entries.set(key, { value: new TextDecoder().decode(value), version });
  }
  return { version: store.stats().version, entries };
}

/** What the server answers; undefined if it is gone, and nobody knows what it did. */
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

function keyOf(writer: number, index: number): string {
  return `writer-${writer}/key-${index}`;
}

function urlOf(server: ServerProcess, key: string): string {
  return `${server.url}/v1/kv/${encodeURIComponent(key)}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
