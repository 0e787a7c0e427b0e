/** Random operations on a store, each held against the model of what must come of it. */

import assert from "node:assert/strict";
import type { KvStore } from "../../lib/store/store.ts";
import type { BatchCheck, BatchOp, Entry, SetOptions } from "../../lib/store/types.ts";
import { CrashCalls } from "./crash_calls.ts";
import { CrashCopies, type CrashCopiesContext } from "./crash_copies.ts";
import type { CrashFileSystem } from "./crash_file_system.ts";
import type { CrashFollower } from "./crash_follower.ts";
import type { TaskQueue } from "./task_queue.ts";
import type { ModelOp } from "./write_history.ts";

/** Some keys are written all the time; others lie in old segments that stay mostly alive. */
const HOT_KEYS = Array.from({ length: 8 }, (_, index) => `hot-${index}`);
const COLD_KEYS = Array.from({ length: 40 }, (_, index) => `cold-${index}`);
const COLD_PROBABILITY = 0.25;
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** What a {@link CrashWork} works with. */
export interface CrashWorkContext extends CrashCopiesContext {
  fs: CrashFileSystem;
  queue: TaskQueue;
  follower: CrashFollower;
  /** Whether what was acknowledged is durable. */
  immediate: boolean;
}

/** The work of one life of a store. */
export class CrashWork {
  readonly copies: CrashCopies;
  readonly #context: CrashWorkContext;
  readonly #store: KvStore;
  /** How many of the values are long. */
  readonly #longShare: number;
  readonly #calls: CrashCalls;
  /** Whether a write was issued that failed or was refused. */
  #writeRejected = false;

  constructor(context: CrashWorkContext, store: KvStore) {
    this.#context = context;
    // Writes of several sectors can be torn in the midst, and fill segments quickly.
    this.#longShare = context.random.pick([0.03, 0.03, 0.3]);
    this.#store = store;
    this.#calls = new CrashCalls(context.fs, context.queue);
    this.copies = new CrashCopies(context, store, this.#calls);
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
    this.#calls.closing = true;
    this.#calls.track(
      this.#store.close().then(() => {
        // Writes that failed were rejected one by one: closing itself may then well succeed.
        if (!this.#writeRejected) history.promise(history.lastLsn);
      }),
    );
    await this.settle();
  }

  /** Waits until nothing is under way. Whatever the disk does, no call may hang. */
  async settle(): Promise<void> {
    const { follower, queue } = this.#context;
    await this.#calls.settle((turns) => {
      // Nothing more happens by itself: one that waits for news would wait for ever.
      if (turns > 0 && queue.size === 0) {
        follower.end(this.#calls.undisturbed ? this.#store.stats().version : undefined);
      }
      // Timers of the store fall due as well: batched durability waits for them.
      if (turns % 20 === 19) this.#advance(50);
    });
  }

  #step(): void {
    const { random } = this.#context;
    switch (random.below(24)) {
      case 0:
      case 1:
        return this.#delete();
      case 2:
        return random.chance(0.4) ? this.#update() : this.#batch();
      case 3:
        // Most of what goes wrong in a compaction shows when the next one goes on from there.
        if (random.chance(this.#context.fs.faults.struck ? 0.8 : 0.2)) {
          this.#calls.track(this.#store.compact());
        }
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
        if (random.chance(0.1)) this.copies.backup();
        return;
      case 12:
        if (random.chance(0.3)) this.copies.look();
        return;
      case 13:
        return this.#follow();
      case 14:
        return this.#deleteSync();
      case 15:
        if (random.chance(0.3)) this.#flushSync();
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
    const op = this.#randomSet();
    this.#writeNow([op], () => this.#store.setSync(op.key, op.value, expiryOf(op)));
  }

  /** A write that blocks until it is acknowledged. */
  #writeNow(ops: readonly ModelOp[], write: () => { version: number }): void {
    const { history, immediate } = this.#context;
    const lsn = history.issue(ops);
    let version: number;
    try {
      version = write().version;
    } catch (error) {
      this.#writeRejected = true;
      return this.#calls.tolerate(error);
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
    this.#calls.mustFail("ConditionFailed", this.#store.set(op.key, op.value, options));
  }

  #delete(): void {
    const { history, clock } = this.#context;
    const key = this.#randomKey();
    switch (history.exists(key, clock.now())) {
      case "yes":
        return this.#acknowledge(history.issue([{ op: "del", key }]), this.#store.delete(key));
      case "no":
        return this.#calls.mustFail("NotFound", this.#store.delete(key));
    }
  }

  #deleteSync(): void {
    const { history, clock } = this.#context;
    const key = this.#randomKey();
    switch (history.exists(key, clock.now())) {
      case "yes":
        return this.#writeNow([{ op: "del", key }], () => this.#store.deleteSync(key));
      case "no":
        return this.#calls.mustFailNow("NotFound", () => this.#store.deleteSync(key));
    }
  }

  #batch(): void {
    const { random, history } = this.#context;
    const ops = this.#randomOps(random.between(1, 6));
    const batchOps = ops.map(toBatchOp);
    const checks = random.chance(0.4) ? this.#randomChecks() : undefined;
    if (checks?.hold === false) {
      const call = this.#store.batch(batchOps, { checks: checks.checks });
      return this.#calls.mustFail("ConditionFailed", call);
    }
    const options = checks === undefined ? {} : { checks: checks.checks };
    if (random.chance(0.2)) {
      return this.#writeNow(ops, () => this.#store.batchSync(batchOps, options));
    }
    this.#acknowledge(history.issue(ops), this.#store.batch(batchOps, options));
  }

  /** Reads what was written last, in flight or not, and writes on top of it. */
  #update(): void {
    const { random, history, clock } = this.#context;
    const keys = Array.from({ length: random.between(1, 4) }, () => this.#randomKey());
    const ops = this.#randomOps(random.between(0, 3));
    // After a failure the store no longer has what was in flight, and refuses what comes of it.
    const hasAll = this.#store.failure === undefined;
    let lsn = history.lastLsn;
    const call = this.#store.update((newest) => {
      for (const key of keys) {
        const found = newest(key);
        if (hasAll) history.checkRead(key, found, lsn, clock.now());
      }
      if (ops.length > 0) lsn = history.issue(ops);
      return ops.map(toBatchOp);
    });
    this.#acknowledge(lsn, call);
  }

  #randomOps(length: number): ModelOp[] {
    const { random } = this.#context;
    return Array.from(
      { length },
      () => random.chance(0.3) ? { op: "del", key: this.#randomKey() } : this.#randomSet(),
    );
  }

  /** Conditions of a batch, and whether they hold; undefined if nobody can say. */
  #randomChecks(): { checks: BatchCheck[]; hold: boolean } | undefined {
    const { random, history, clock } = this.#context;
    const checks: BatchCheck[] = [];
    let hold = true;
    for (let left = random.between(1, 3); left > 0; left--) {
      const key = this.#randomKey();
      const existence = history.exists(key, clock.now());
      if (existence === "maybe") return undefined;
      const version = existence === "yes" ? history.version(key) : null;
      const isTrue = random.chance(0.8);
      const wrong = version === null ? 1 : random.pick([null, version + 1]);
      checks.push({ key, version: isTrue ? version : wrong });
      hold &&= isTrue;
    }
    return { checks, hold };
  }

  #flush(): void {
    const { history } = this.#context;
    const lsn = history.lastLsn;
    this.#calls.track(
      this.#store.flush().then(() => {
        // What was refused after a fault was never written, though it was issued.
        if (!this.#writeRejected) history.promise(lsn);
      }),
    );
  }

  #flushSync(): void {
    const { history } = this.#context;
    try {
      this.#store.flushSync();
    } catch (error) {
      return this.#calls.tolerate(error);
    }
    if (!this.#writeRejected) history.promise(history.lastLsn);
  }

  #follow(): void {
    const { random, follower, queue } = this.#context;
    const pace = { limit: random.between(1, 80), live: random.chance(0.5) };
    const isSlow = random.chance(0.3);
    follower.follow(this.#store, this.#calls, isSlow ? { ...pace, later: queue.later } : pace);
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
      return this.#calls.tolerate(error);
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
    this.#calls.track(call);
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
    this.#calls.track(acknowledged);
  }
}

function expiryOf({ expiresAt }: { expiresAt: number }): { expiresAt?: number } {
  return expiresAt === 0 ? {} : { expiresAt };
}

function toBatchOp(op: ModelOp): BatchOp {
  return op.op === "del" ? op : { op: "set", key: op.key, value: op.value, ...expiryOf(op) };
}
