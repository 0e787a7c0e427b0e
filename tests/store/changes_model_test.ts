/**
 * Followers of a store to which everything happens: they must end up with what the store holds, and
 * may leave out nothing that was not superseded. CAIRN_TEST_RUNS multiplies the number of seeds.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { BatchOp, Durability } from "../../lib/store/types.ts";
import { ChangeFollower, ChangeHistory } from "../support/change_follower.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { SteppingClock } from "../support/stepping_clock.ts";
import {
  assertExact,
  DURABILITIES,
  MemoryLogger,
  PATH,
  pattern,
  turn,
  until,
} from "../support/test_store.ts";

const SEEDS = 60 * Number(process.env["CAIRN_TEST_RUNS"] ?? 1);
const STEPS = 150;
const KEYS = 25;
const RETAINED = [0, 0, 10, 60, 1_000_000];

/** One store, a follower that comes and goes, and one that stays. */
class Run {
  readonly fs = new MemoryFileSystem();
  readonly logger = new MemoryLogger();
  readonly history = new ChangeHistory();
  readonly random: SeededRandom;
  readonly clock: SteppingClock;
  readonly visitor: ChangeFollower;
  readonly resident: ChangeFollower;
  readonly retainedVersions: number;
  readonly durability: Durability;
  store!: KvStore;
  compactions = 0;
  #leave = new AbortController();
  #residence: Promise<void> = Promise.resolve();
  #residentFailure: unknown;
  #pending: Promise<unknown>[] = [];

  constructor(durability: Durability, seed: number) {
    this.durability = durability;
    this.random = new SeededRandom(seed);
    this.clock = new SteppingClock(new SeededRandom(seed + 1), 1_000_000);
    this.retainedVersions = this.random.pick(RETAINED);
    this.visitor = new ChangeFollower(this.fs, this.history, this.retainedVersions);
    this.resident = new ChangeFollower(this.fs, this.history, this.retainedVersions);
  }

  async open(): Promise<void> {
    this.store = await KvStore.open(PATH, {
      fileSystem: this.fs,
      clock: this.clock,
      logger: this.logger,
      durability: this.durability,
      segmentBytesMax: 4096,
      compaction: {
        deadRatio: 0.4,
        totalBytes: 20_000,
        deadBytesMin: 2000,
        retainedVersions: this.retainedVersions,
      },
    });
    this.#leave = new AbortController();
    this.#residence = this.#reside(this.store, this.#leave.signal)
      .catch((error) => void (this.#residentFailure = error));
  }

  async close(): Promise<void> {
    await Promise.all(this.#pending.splice(0));
    this.#leave.abort();
    await this.#residence;
    if (this.#residentFailure !== undefined) throw this.#residentFailure;
    this.compactions += this.store.stats().compactions;
    await this.store.close();
  }

  async step(): Promise<void> {
    const { random, store } = this;
    const dice = random.below(100);
    if (dice < 35) this.#write([this.#set()]);
    else if (dice < 55) this.#write([this.#delete()]);
    else if (dice < 65) {
      this.#write(Array.from({ length: random.between(1, 8) }, () => {
        return random.chance(0.5) ? this.#set() : this.#delete();
      }));
    } else if (dice < 72) await turn();
    else if (dice < 78) this.clock.advance(random.between(1, 400));
    else if (dice < 88) {
      const live = random.chance(0.3);
      // A live feed ends only by its limit: there must be so much to come.
      const limit = live ? 1 : random.pick([1, 5, 30, Infinity]);
      if (!live || this.visitor.version < store.stats().version) await this.#visit(limit, live);
    } else if (dice < 94) {
      const compaction = store.compact();
      if (random.chance(0.5)) await compaction;
      else this.#pending.push(compaction);
    } else if (dice < 96) {
      await this.close();
      await this.open();
    } else {
      await Promise.all(this.#pending.splice(0));
      await assertExact(store, this.fs, this.clock.now());
    }
  }

  /** Lets both come to the end, and compares. */
  async finish(): Promise<void> {
    await Promise.all(this.#pending.splice(0));
    await this.store.flush();
    await this.#visit(Infinity, false);
    assert.equal(this.visitor.version, this.history.version);
    await this.visitor.assertCopies(this.store, this.clock.now());
    await until("the resident is up to date", () => {
      return this.#residentFailure !== undefined ||
        this.resident.version === this.history.version;
    });
    await this.resident.assertCopies(this.store, this.clock.now());
    await this.close();
    assert.deepEqual(this.logger.troubles, []);
  }

  /** A restart from a scan is no end of the visit: what comes behind the scan is to be followed. */
  async #visit(limit: number, live: boolean): Promise<void> {
    const { restarts } = this.visitor;
    await this.visitor.follow(this.store, () => this.clock.now(), limit, { live });
    if (this.visitor.restarts > restarts && limit === Infinity) await this.#visit(limit, live);
  }

  async #reside(store: KvStore, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.resident.follow(store, () => this.clock.now(), Infinity, { signal });
    }
  }

  #set(): BatchOp {
    const { random } = this;
    const value = pattern(random.pick([0, 10, 100, 900]), random.below(1000));
    const op: BatchOp = { op: "set", key: this.#key(), value };
    return random.chance(0.25) ? { ...op, ttl: random.between(1, 800) } : op;
  }

  #delete(): BatchOp {
    return { op: "del", key: this.#key() };
  }

  #key(): string {
    return `key ${this.random.below(KEYS)}`;
  }

  #write(ops: BatchOp[]): void {
    const { history, store, random } = this;
    const now = this.clock.now();
    const single = ops.length === 1 ? ops[0]! : undefined;
    if (single?.op === "del" && !history.has(single.key as string, now)) return;
    for (const op of ops) {
      const key = op.key as string;
      if (op.op === "del") history.add({ op: "del", key });
      else {
        const value = op.value as Uint8Array;
        const { ttl } = op;
        history.add({ op: "set", key, value, ...(ttl && { expiresAt: now + ttl }) });
      }
    }
    const { version } = history;
    if (random.chance(0.3)) assert.deepEqual(store.batchSync(ops), { version });
    else if (single?.op === "del") this.#pending.push(store.delete(single.key));
    else {this.#pending.push(
        store.batch(ops).then((result) => assert.equal(result.version, version)),
      );}
  }
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: whoever follows the changes has what the store has`, {
    timeout: 60_000 + SEEDS * 1000,
  }, async () => {
    const total = { compactions: 0, restarts: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = new Run(durability, seed);
      try {
        await run.open();
        for (let step = 0; step < STEPS; step++) await run.step();
        await run.finish();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      total.compactions += run.compactions;
      total.restarts += run.visitor.restarts;
    }
    assert(total.compactions > SEEDS, "there was something to compact");
    assert(total.restarts > SEEDS / 10, "some had to start again");
  });
}
