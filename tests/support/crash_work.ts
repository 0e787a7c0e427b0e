/** Random operations on a store, each held against the model of what must come of it. */

import assert from "node:assert/strict";
import { KvError } from "../../lib/errors.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { BatchOp, Entry, SetOptions } from "../../lib/store/types.ts";
import type { CrashFileSystem } from "./crash_file_system.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { SteppingClock } from "./stepping_clock.ts";
import type { TaskQueue } from "./task_queue.ts";
import type { ModelOp, WriteHistory } from "./write_history.ts";

/** Some keys are written all the time; others lie in old segments that stay mostly alive. */
const HOT_KEYS = Array.from({ length: 8 }, (_, index) => `hot-${index}`);
const COLD_KEYS = Array.from({ length: 40 }, (_, index) => `cold-${index}`);
const COLD_PROBABILITY = 0.25;
const TURNS_MAX = 5000;
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** A backup that was made, or was being made when the machine stopped. */
export interface BackupMade {
  path: string;
  /** The version it was said to hold; undefined if it was never acknowledged. */
  version: number | undefined;
}

/** What a {@link CrashWork} works with. */
export interface CrashWorkContext {
  random: SeededRandom;
  fs: CrashFileSystem;
  history: WriteHistory;
  queue: TaskQueue;
  clock: SteppingClock;
  /** Whether what was acknowledged is durable. */
  immediate: boolean;
  /** What the paths of backups begin with. */
  backupPrefix: string;
}

/** The work of one life of a store. */
export class CrashWork {
  /** Backups of this life; their paths begin with `backupPrefix`. */
  readonly backups: BackupMade[] = [];
  readonly #context: CrashWorkContext;
  readonly #store: KvStore;
  /** How many of the values are long. */
  readonly #longShare: number;
  /** Calls under way; each settles, even when the machine stops. */
  readonly #underWay = new Set<Promise<unknown>>();
  #closing = false;
  /** Whether a write was issued that failed or was refused. */
  #writeRejected = false;
  /** What went wrong in a call under way, other than by a stop or a fault. */
  #failure: unknown;

  constructor(context: CrashWorkContext, store: KvStore) {
    this.#context = context;
    // Writes of several sectors can be torn in the midst, and fill segments quickly.
    this.#longShare = context.random.pick([0.03, 0.03, 0.3]);
    this.#store = store;
  }

  /** Does some operations, until the machine stops. */
  async run(): Promise<void> {
    const { random, fs, queue } = this.#context;
    const steps = random.between(10, 130);
    for (let step = 0; step < steps && !fs.stopped; step++) {
      this.#step();
      if (random.chance(0.4)) await queue.runOne();
      else if (random.chance(0.2)) await this.settle();
    }
  }

  /** Closes the store; everything written must then be there for good. */
  async close(): Promise<void> {
    const { history } = this.#context;
    this.#closing = true;
    this.#track(
      this.#store.close().then(() => {
        // Writes that failed were rejected one by one: closing itself may then well succeed.
        if (!this.#writeRejected) history.promise(history.lastLsn);
      }),
    );
    await this.settle();
  }

  /** Waits until nothing is under way. Whatever the disk does, no call may hang. */
  async settle(): Promise<void> {
    const { queue } = this.#context;
    for (let turns = 0; this.#underWay.size > 0; turns++) {
      assert(turns < TURNS_MAX, "a call hangs");
      // Timers of the store fall due as well: batched durability waits for them.
      if (turns % 20 === 19) this.#advance(50);
      await queue.runOne();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Whether calls may fail: the machine has stopped, or the disk has failed. */
  get #disturbed(): boolean {
    return this.#context.fs.stopped || this.#context.fs.faults.struck;
  }

  /** Throws the error again, unless it is the disk's and to be expected. */
  #tolerate(error: unknown): void {
    const isDisk = error instanceof KvError && (error.code === "Io" || error.code === "NoSpace");
    if (!isDisk || !this.#disturbed) throw error;
  }

  #step(): void {
    const { random } = this.#context;
    switch (random.below(19)) {
      case 0:
      case 1:
        return this.#delete();
      case 2:
        return this.#batch();
      case 3:
        if (random.chance(0.2)) this.#track(this.#store.compact());
        return;
      case 4:
        return this.#flush();
      case 5:
        return this.#advance(random.between(1, 400));
      case 6:
      case 7:
        return this.#read();
      case 8:
        return this.#setSync();
      case 9:
        return this.#setIf();
      case 10:
        if (random.chance(0.1)) this.#jump();
        return;
      case 11:
        if (random.chance(0.1)) this.#backup();
        return;
      default:
        return this.#set();
    }
  }

  #set(options: SetOptions = {}, op = this.#randomSet()): void {
    const lsn = this.#context.history.issue([op]);
    this.#acknowledge(lsn, this.#store.set(op.key, op.value, { ...expiryOf(op), ...options }));
  }

  #setSync(): void {
    const { history, immediate } = this.#context;
    const op = this.#randomSet();
    const lsn = history.issue([op]);
    let version: number;
    try {
      version = this.#store.setSync(op.key, op.value, expiryOf(op)).version;
    } catch (error) {
      this.#writeRejected = true;
      return this.#tolerate(error);
    }
    assert.equal(version, lsn);
    if (immediate) history.promise(lsn);
  }

  /** A write with a condition, which sees all that was written before, in flight or not. */
  #setIf(): void {
    const { random, history, clock } = this.#context;
    const op = this.#randomSet();
    const existence = history.exists(op.key, clock.now());
    if (existence === "maybe") return;
    const version = existence === "yes" ? history.version(op.key) : 0;
    const options: SetOptions = random.chance(0.5)
      ? { ifAbsent: true }
      : { ifVersion: random.chance(0.7) && version > 0 ? version : version + 1 };
    const holds = options.ifAbsent ? existence === "no" : options.ifVersion === version;
    if (holds) return this.#set(options, op);
    this.#mustFail("ConditionFailed", this.#store.set(op.key, op.value, options));
  }

  #delete(): void {
    const { history, clock } = this.#context;
    const key = this.#randomKey();
    switch (history.exists(key, clock.now())) {
      case "yes":
        return this.#acknowledge(history.issue([{ op: "del", key }]), this.#store.delete(key));
      case "no":
        return this.#mustFail("NotFound", this.#store.delete(key));
    }
  }

  #batch(): void {
    const { random, history } = this.#context;
    const ops: ModelOp[] = Array.from(
      { length: random.between(1, 6) },
      () => random.chance(0.3) ? { op: "del", key: this.#randomKey() } : this.#randomSet(),
    );
    this.#acknowledge(history.issue(ops), this.#store.batch(ops.map(toBatchOp)));
  }

  #flush(): void {
    const { history } = this.#context;
    const lsn = history.lastLsn;
    this.#track(
      this.#store.flush().then(() => {
        // What was refused after a fault was never written, though it was issued.
        if (!this.#writeRejected) history.promise(lsn);
      }),
    );
  }

  /** A copy of the store, made while it is being written to. */
  #backup(): void {
    const backup: BackupMade = {
      path: `${this.#context.backupPrefix}-${this.backups.length}`,
      version: undefined,
    };
    this.backups.push(backup);
    const call = this.#store.backup(backup.path).then(
      ({ version }) => backup.version = version,
      (error) => {
        const isCutOff = this.#closing && error instanceof KvError && error.code === "Closed";
        if (!isCutOff) throw error;
      },
    );
    this.#track(call);
  }

  /** What is visible now must be what the history says. */
  #read(): void {
    const { random, history, clock } = this.#context;
    if (random.chance(0.5)) return this.#readLater(this.#randomKey());
    const key = this.#randomKey();
    const { version, durableVersion } = this.#store.stats();
    history.promise(durableVersion);
    let found: Entry | undefined;
    try {
      found = this.#store.getEntrySync(key);
    } catch (error) {
      return this.#tolerate(error);
    }
    history.checkRead(key, found, version, clock.now());
  }

  /** Reads without blocking, while writes become visible: it must see one of the states between. */
  #readLater(key: string): void {
    const { history, clock } = this.#context;
    const now = clock.now();
    const { version } = this.#store.stats();
    const call = this.#store.getEntry(key).then((found) => {
      // What it saw was visible when it was called.
      if (clock.now() === now) history.checkRead(key, found, version, now);
    });
    this.#track(call);
  }

  #advance(ms: number): void {
    const { clock, history } = this.#context;
    clock.advance(ms);
    history.seeTime(clock.now());
  }

  /** The wall clock is set, by an administrator or a broken battery. */
  #jump(): void {
    const { random, clock, history } = this.#context;
    const jumpMs = random.pick([random.between(-3000, 3000), -YEAR_MS, YEAR_MS]);
    clock.setNow(clock.now() + jumpMs);
    history.seeTime(clock.now());
  }

  #randomKey(): string {
    const { random } = this.#context;
    return random.pick(random.chance(COLD_PROBABILITY) ? COLD_KEYS : HOT_KEYS);
  }

  #randomSet(): ModelOp & { op: "set" } {
    const { random, clock } = this.#context;
    const length = random.chance(this.#longShare)
      ? random.between(1000, 6000)
      : random.between(0, 250);
    const expiresAt = random.chance(0.2) ? clock.now() + random.between(1, 2000) : 0;
    return { op: "set", key: this.#randomKey(), value: random.bytes(length), expiresAt };
  }

  #acknowledge(lsn: number, call: Promise<{ version: number }>): void {
    const { history, immediate } = this.#context;
    const acknowledged = call.then(({ version }) => {
      assert.equal(version, lsn);
      if (immediate) history.promise(lsn);
    }, (error) => {
      this.#writeRejected = true;
      throw error;
    });
    this.#track(acknowledged);
  }

  #mustFail(code: string, call: Promise<unknown>): void {
    this.#track(call.then(
      () => assert.fail(`a call succeeded that must fail with ${code}`),
      (error) => {
        if (!(error instanceof KvError && error.code === code)) throw error;
      },
    ));
  }

  #track(call: Promise<unknown>): void {
    const settled: Promise<unknown> = call.catch((error) => {
      try {
        this.#tolerate(error);
      } catch {
        this.#failure ??= error;
      }
    }).finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
  }
}

function expiryOf({ expiresAt }: { expiresAt: number }): { expiresAt?: number } {
  return expiresAt === 0 ? {} : { expiresAt };
}

function toBatchOp(op: ModelOp): BatchOp {
  return op.op === "del" ? op : { op: "set", key: op.key, value: op.value, ...expiryOf(op) };
}
