/** One seeded life of a store: work, crashes at any call, recovery, and after each the checks. */

import assert from "node:assert/strict";
import { KvError } from "../../lib/errors.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { BatchOp, Durability } from "../../lib/store/types.ts";
import { CrashFileSystem } from "./crash_file_system.ts";
import { SeededRandom } from "./seeded_random.ts";
import { SteppingClock } from "./stepping_clock.ts";
import { PATH, turn } from "./test_store.ts";
import { type ModelOp, WriteHistory } from "./write_history.ts";

/** Some keys are written all the time; others lie in old segments that stay mostly alive. */
const HOT_KEYS = Array.from({ length: 8 }, (_, index) => `hot-${index}`);
const COLD_KEYS = Array.from({ length: 40 }, (_, index) => `cold-${index}`);
const COLD_PROBABILITY = 0.25;
const TURNS_MAX = 2000;

/** How to run again what failed. */
export function howToRepeat(seed: number, durability: Durability): string {
  const name = durability === "immediate" ? "immediate" : "batched";
  return `seed ${seed}, durability ${name}; repeat with ` +
    `CAIRN_CRASH_SEED=${seed} deno test --allow-all tests/crash/power_cut_test.ts`;
}

/** Runs one seed; throws when a promise was broken. Returns how often the machine stopped. */
export async function runCrashSeed(seed: number, durability: Durability): Promise<number> {
  const run = new CrashRun(seed, durability);
  try {
    await run.live();
  } catch (error) {
    throw new Error(`${howToRepeat(seed, durability)}\n${error}`, { cause: error });
  }
  return run.stops;
}

class CrashRun {
  /** How often everything stopped. */
  stops = 0;

  readonly #random: SeededRandom;
  readonly #durability: Durability;
  readonly #fs: CrashFileSystem;
  readonly #history = new WriteHistory();
  #clock: SteppingClock;
  /** Calls under way; each settles, even when the machine stops. */
  #underWay = new Set<Promise<unknown>>();
  /** What went wrong in a call under way, other than by a stop. */
  #failure: unknown;

  constructor(seed: number, durability: Durability) {
    this.#random = new SeededRandom(seed);
    this.#durability = durability;
    this.#fs = new CrashFileSystem({ random: this.#random });
    this.#clock = new SteppingClock(this.#random, 1_700_000_000_000);
  }

  async live(): Promise<void> {
    const lives = this.#random.between(2, 5);
    for (let life = 0; life < lives; life++) {
      const store = await this.#open();
      await this.#history.check(store, this.#clock.now());
      if (this.#random.chance(0.9)) this.#fs.stopAfter(this.#random.between(1, 250));
      await this.#work(store);
      await this.#end(store);
    }
    await this.#checkAtRest();
  }

  /** Opens the store, however often the machine stops on the way. */
  async #open(): Promise<KvStore> {
    for (let attempt = 1;; attempt++) {
      this.#clock = new SteppingClock(this.#random, this.#clock.now());
      if (attempt < 6 && this.#random.chance(0.4)) this.#fs.stopAfter(this.#random.between(1, 25));
      try {
        const store = await KvStore.open(PATH, {
          fileSystem: this.#fs,
          clock: this.#clock,
          random: this.#random,
          durability: this.#durability,
          segmentBytesMax: 4096,
          compaction: {
            auto: this.#random.chance(0.6),
            deadRatio: this.#random.pick([0.2, 0.5, 0.7]),
            totalBytes: this.#random.pick([0, 1 << 20]),
            deadBytesMin: this.#random.pick([1, 2048]),
          },
        });
        if (!this.#fs.stopped) {
          this.#fs.stopAfter(Infinity);
          return store;
        }
        // It opened, and stopped in the background: as good as any other stop.
        this.#track(store.close());
      } catch (error) {
        if (!this.#fs.stopped) throw error;
      }
      await this.#restart();
    }
  }

  async #work(store: KvStore): Promise<void> {
    const steps = this.#random.between(10, 130);
    for (let step = 0; step < steps && !this.#fs.stopped; step++) {
      this.#step(store);
      if (this.#random.chance(0.4)) await turn();
      else if (this.#random.chance(0.2)) await this.#settle();
    }
  }

  #step(store: KvStore): void {
    const random = this.#random;
    switch (random.below(16)) {
      case 0:
      case 1:
        return this.#delete(store);
      case 2:
        return this.#batch(store);
      case 3:
        if (random.chance(0.2)) this.#track(store.compact());
        return;
      case 4:
        return this.#flush(store);
      case 5:
        return this.#clock.advance(random.between(1, 400));
      case 6:
      case 7:
        return this.#read(store);
      case 8:
        return this.#setSync(store);
      default:
        return this.#set(store);
    }
  }

  #set(store: KvStore): void {
    const op = this.#randomSet();
    const lsn = this.#history.issue([op]);
    const options = op.expiresAt === 0 ? {} : { expiresAt: op.expiresAt };
    this.#acknowledge(lsn, store.set(op.key, op.value, options));
  }

  #setSync(store: KvStore): void {
    const op = this.#randomSet();
    const lsn = this.#history.issue([op]);
    try {
      const { version } = store.setSync(op.key, op.value, {
        ...(op.expiresAt === 0 ? {} : { expiresAt: op.expiresAt }),
      });
      assert.equal(version, lsn);
      if (this.#durability === "immediate") this.#history.promise(lsn);
    } catch (error) {
      if (!this.#fs.stopped) throw error;
    }
  }

  #delete(store: KvStore): void {
    const key = this.#randomKey();
    if (!this.#history.exists(key, this.#clock.now())) {
      const call = store.delete(key).then(
        () => assert.fail(`${key} was deleted, and does not exist`),
        (error) => {
          if (!(error instanceof KvError && error.code === "NotFound")) throw error;
        },
      );
      return this.#track(call);
    }
    this.#acknowledge(this.#history.issue([{ op: "del", key }]), store.delete(key));
  }

  #batch(store: KvStore): void {
    const ops: ModelOp[] = Array.from(
      { length: this.#random.between(1, 6) },
      () => this.#random.chance(0.3) ? { op: "del", key: this.#randomKey() } : this.#randomSet(),
    );
    const lsn = this.#history.issue(ops);
    this.#acknowledge(lsn, store.batch(ops.map(toBatchOp)));
  }

  #flush(store: KvStore): void {
    const lsn = this.#history.lastLsn;
    this.#track(store.flush().then(() => this.#history.promise(lsn)));
  }

  /** What is visible now must be what the history says. */
  #read(store: KvStore): void {
    const key = this.#randomKey();
    try {
      const { version, durableVersion } = store.stats();
      this.#history.promise(durableVersion);
      const expected = this.#history.read(key, version, this.#clock.now());
      const found = store.getEntrySync(key);
      assert.equal(found?.version, expected?.version, `${key} while ${version} is visible`);
      assert.deepEqual(found?.value, expected?.value);
    } catch (error) {
      if (!this.#fs.stopped) throw error;
    }
  }

  #randomKey(): string {
    return this.#random.pick(this.#random.chance(COLD_PROBABILITY) ? COLD_KEYS : HOT_KEYS);
  }

  #randomSet(): ModelOp & { op: "set" } {
    const random = this.#random;
    const length = random.chance(0.03) ? random.between(3000, 6000) : random.between(0, 250);
    const expiresAt = random.chance(0.2) ? this.#clock.now() + random.between(1, 2000) : 0;
    return { op: "set", key: this.#randomKey(), value: random.bytes(length), expiresAt };
  }

  #acknowledge(lsn: number, call: Promise<{ version: number }>): void {
    this.#track(call.then(({ version }) => {
      assert.equal(version, lsn);
      if (this.#durability === "immediate") this.#history.promise(lsn);
    }));
  }

  #track(call: Promise<unknown>): void {
    const settled: Promise<unknown> = call.catch((error) => {
      if (!this.#fs.stopped) this.#failure ??= error;
    }).finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
  }

  /** Waits until nothing is under way. Whatever the disk does, no call may hang. */
  async #settle(): Promise<void> {
    for (let turns = 0; this.#underWay.size > 0; turns++) {
      assert(turns < TURNS_MAX, "a call hangs");
      // Timers of the store fall due as well: batched durability waits for them.
      if (turns % 20 === 19) this.#clock.advance(50);
      await turn();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends a life: by a stop that came, by closing, or by a stop out of the blue. */
  async #end(store: KvStore): Promise<void> {
    if (!this.#fs.stopped && this.#random.chance(0.3)) {
      // Writes that failed were rejected one by one: closing itself may then well succeed.
      this.#track(
        store.close().then(() => {
          if (!this.#fs.stopped) this.#history.promise(this.#history.lastLsn);
        }),
      );
      await this.#settle();
    }
    await this.#restart();
  }

  async #restart(): Promise<void> {
    this.stops++;
    this.#fs.stop();
    await this.#settle();
    this.#fs.restart(this.#random.chance(0.7) ? "power" : "kill");
  }

  /** Opened once more, and again, nothing has changed; and verification finds nothing wrong. */
  async #checkAtRest(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      this.#fs.stopAfter(Infinity);
      const store = await KvStore.open(PATH, {
        fileSystem: this.#fs,
        clock: this.#clock,
        compaction: { auto: false },
      });
      await this.#history.check(store, this.#clock.now());
      this.#track(store.close());
      await this.#settle();
      const report = await KvStore.verify(PATH, { fileSystem: this.#fs });
      assert.deepEqual(report.problems, []);
      assert.equal(report.tornBytes, 0);
      this.#fs.restart("power");
    }
  }
}

function toBatchOp(op: ModelOp): BatchOp {
  if (op.op === "del") return op;
  const { key, value, expiresAt } = op;
  return expiresAt === 0 ? { op: "set", key, value } : { op: "set", key, value, expiresAt };
}
