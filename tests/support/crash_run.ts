/** One seeded life of a store: work, faults, crashes at any call, recovery, and after each the checks. */

import assert from "node:assert/strict";
import { KvError } from "../../lib/errors.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { Durability } from "../../lib/store/types.ts";
import { CallDigest } from "./call_digest.ts";
import { CrashFileSystem } from "./crash_file_system.ts";
import { assertNoStore, type CopyMade } from "./crash_copies.ts";
import { CrashFollower } from "./crash_follower.ts";
import { CrashWork } from "./crash_work.ts";
import { assertUntouched, bytesOf, fromImage, takeImage, withFile } from "./disk_image.ts";
import { SeededRandom } from "./seeded_random.ts";
import { SteppingClock } from "./stepping_clock.ts";
import { TaskQueue } from "./task_queue.ts";
import { PATH, turn } from "./test_store.ts";
import { WriteHistory } from "./write_history.ts";

/** Crashes during recovery that follow on each other, at most. */
const OPENINGS_CRASHED_MAX = 5;

/** What a run did. */
export interface CrashRunReport {
  /** How often everything stopped. */
  stops: number;
  /** How often the disk failed without stopping. */
  faults: number;
  /** How many backups, and stores made of them, were found to be what they should. */
  copies: number;
  /** How often opening cut off a torn tail. */
  tornTails: number;
  /** Openings that used a checkpoint of the index. */
  checkpoints: number;
  /** How many changes were followed. */
  changes: number;
  /** In how many lives the last compaction had something to do. */
  compactions: number;
  /** Of every call to the file system, with arguments and outcomes. */
  fingerprint: number;
}

/** How to run again what failed. */
function howToRepeat(seed: number): string {
  const runtime = "Bun" in globalThis ? " --bun" : "";
  return `seed ${seed}; repeat with: deno task test:crash --seed ${seed}${runtime}`;
}

/** Runs one seed; throws when a promise was broken. */
export async function runCrashSeed(seed: number): Promise<CrashRunReport> {
  const run = new CrashRun(seed);
  try {
    return await run.live();
  } catch (error) {
    throw new Error(`${howToRepeat(seed)}\n${error}`, { cause: error });
  }
}

class CrashRun {
  readonly #random: SeededRandom;
  readonly #durability: Durability;
  readonly #queue: TaskQueue;
  readonly #fs: CrashFileSystem;
  /** What the store sees of it. */
  readonly #files: CallDigest;
  readonly #history = new WriteHistory();
  readonly #follower: CrashFollower;
  readonly #retainedVersions: number;
  #clock: SteppingClock;
  #stops = 0;
  #faults = 0;
  #copies = 0;
  #tornTails = 0;
  #checkpoints = 0;
  #compactions = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#durability = this.#random.chance(0.5) ? "immediate" : { bytes: 4096, millis: 100 };
    this.#queue = new TaskQueue(this.#random);
    this.#fs = new CrashFileSystem({
      random: this.#random,
      shortTransfers: this.#random.chance(0.3),
      later: this.#queue.later,
    });
    this.#files = new CallDigest(this.#fs);
    this.#retainedVersions = this.#random.pick([0, 0, 20, 100]);
    this.#follower = new CrashFollower({
      history: this.#history,
      immediate: this.#durability === "immediate",
      retainedVersions: this.#retainedVersions,
    });
    this.#clock = this.#newClock(1_700_000_000_000);
  }

  async live(): Promise<CrashRunReport> {
    const lives = this.#random.between(2, 5);
    for (let life = 0; life < lives; life++) await this.#liveOnce(life);
    await this.#checkAtRest();
    await this.#checkDamage();
    return {
      stops: this.#stops,
      faults: this.#faults,
      copies: this.#copies,
      tornTails: this.#tornTails,
      checkpoints: this.#checkpoints,
      changes: this.#follower.changes,
      compactions: this.#compactions,
      fingerprint: this.#files.digest,
    };
  }

  async #liveOnce(life: number): Promise<void> {
    const store = await this.#open();
    await this.#drive(this.#history.check(store, this.#clock.now()));
    this.#follower.resume(store.stats().version);
    if (this.#random.chance(0.8)) this.#fs.stopAfter(this.#random.between(1, 250));
    if (this.#random.chance(0.4)) this.#fs.faults.planAny(this.#random, 120);
    const work = new CrashWork({
      random: this.#random,
      fs: this.#fs,
      files: this.#files,
      history: this.#history,
      queue: this.#queue,
      clock: this.#clock,
      follower: this.#follower,
      immediate: this.#durability === "immediate",
      copyPrefix: `/copy-${life}`,
    }, store);
    await work.run();
    if ((store.stats().lastCompaction?.segmentsBefore ?? 0) > 0) this.#compactions++;
    // A life ends by a stop that came, by closing, or by a stop out of the blue.
    if (!this.#fs.stopped && this.#random.chance(0.4)) await work.close();
    this.#fs.stop();
    await work.settle();
    await this.#restart();
    for (const copy of work.copies.made) await this.#checkCopy(copy);
    const complete = work.copies.made.find(({ acknowledged }) => acknowledged);
    if (complete !== undefined) await this.#restoreWithStops(complete, `/restored-${life}`);
  }

  /**
   * A copy that was acknowledged holds what it was said to, crash or not. Another one holds a state
   * of the store as well, which is that of the backup it was made from, or is no store at all.
   */
  async #checkCopy({ path, acknowledged, version }: CopyMade): Promise<void> {
    const open = (readOnly: boolean) => {
      const clock = this.#clock;
      return this.#drive(
        KvStore.open(path, { fileSystem: this.#files, clock, random: this.#random, readOnly }),
      );
    };
    let copy: KvStore;
    try {
      copy = await open(true);
    } catch (error) {
      if (acknowledged || !(error instanceof KvError)) throw error;
      await assertNoStore(this.#files, path, open);
      return this.#checkNotRestored(path);
    }
    const now = this.#clock.now();
    await this.#drive(this.#history.checkCopy(copy, version ?? copy.stats().version, now));
    await this.#drive(copy.close());
    if (!acknowledged) return;
    this.#copies++;
    await this.#verify(path);
  }

  /** What is no store is no backup either. */
  async #checkNotRestored(path: string): Promise<void> {
    const destination = `${path}-restored`;
    const options = { fileSystem: this.#files, clock: this.#clock };
    await assert.rejects(
      () => this.#drive(KvStore.restore(path, destination, options)),
      (error) => error instanceof KvError,
    );
    assert.equal(this.#files.stat(destination), undefined);
  }

  /** Makes a store of a backup on a machine that stops, or whose disk fails, while it is at it. */
  async #restoreWithStops({ path, version }: CopyMade, destination: string): Promise<void> {
    this.#fs.stopAfter(this.#random.between(1, 40));
    if (this.#random.chance(0.3)) this.#fs.faults.planAny(this.#random, 40);
    let acknowledged = false;
    try {
      const options = { fileSystem: this.#files, clock: this.#clock };
      const report = await this.#drive(KvStore.restore(path, destination, options));
      assert.equal(report.version, version);
      acknowledged = true;
    } catch (error) {
      if (!this.#fs.stopped && !this.#fs.faults.struck) throw error;
      assert(error instanceof KvError, String(error));
    }
    this.#fs.stop();
    await this.#restart();
    await this.#checkCopy({ path: destination, acknowledged, version });
  }

  async #verify(path: string): Promise<void> {
    const options = { fileSystem: this.#files, clock: this.#clock };
    const report = await this.#drive(KvStore.verify(path, options));
    assert.deepEqual(report.problems, []);
    assert.equal(report.tornBytes, 0);
  }

  /** Opens the store, however often the machine stops, or the disk fails, on the way. */
  async #open(): Promise<KvStore> {
    for (let attempt = 1;; attempt++) {
      this.#clock = this.#newClock(this.#clock.now());
      if (attempt <= OPENINGS_CRASHED_MAX) {
        if (this.#random.chance(0.4)) this.#fs.stopAfter(this.#random.between(1, 25));
        if (this.#random.chance(0.2)) this.#fs.faults.planAny(this.#random, 20);
      }
      try {
        const store = await this.#drive(KvStore.open(PATH, {
          fileSystem: this.#files,
          clock: this.#clock,
          random: this.#random,
          durability: this.#durability,
          segmentBytesMax: this.#random.pick([4096, 4096, 32_768]),
          keyBytesMax: 256,
          checkpointRecordsMin: this.#random.pick([0, 10, 1000]),
          compaction: {
            auto: this.#random.chance(0.6),
            deadRatio: this.#random.pick([0.2, 0.5, 0.7]),
            totalBytes: this.#random.pick([0, 1 << 20]),
            deadBytesMin: this.#random.pick([1, 2048]),
            retainedVersions: this.#retainedVersions,
          },
        }));
        if (store.stats().replay.truncatedBytes > 0) this.#tornTails++;
        if (store.stats().replay.checkpointKeys > 0) this.#checkpoints++;
        if (!this.#fs.stopped && !this.#fs.faults.struck) {
          this.#fs.stopAfter(Infinity);
          this.#fs.faults.heal();
          return store;
        }
        // It opened, and was hit in the background: as good a moment to stop as any other.
        this.#fs.stop();
        await this.#drive(store.close().catch(() => {}));
      } catch (error) {
        if (!this.#fs.stopped && !this.#fs.faults.struck) throw error;
        assert(error instanceof KvError, String(error));
      }
      await this.#restart();
    }
  }

  /** Runs what was put off until a call is through. */
  async #drive<Result>(call: Promise<Result>): Promise<Result> {
    let settled = false;
    const done = () => void (settled = true);
    call.then(done, done);
    await turn();
    while (!settled) await this.#queue.runOne();
    return await call;
  }

  async #restart(): Promise<void> {
    // Nothing that a process has begun goes on when it is gone: all its calls fail from now on.
    while (this.#queue.size > 0) await this.#queue.runOne();
    this.#stops++;
    if (this.#fs.faults.struck) this.#faults++;
    this.#fs.faults.heal();
    this.#fs.restart(this.#random.chance(0.7) ? "power" : "kill");
  }

  #newClock(now: number): SteppingClock {
    this.#history.seeTime(now);
    return new SteppingClock(this.#random, now, this.#queue.later);
  }

  /** Opened once more, and again, nothing has changed; and verification finds nothing wrong. */
  async #checkAtRest(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const store = await this.#drive(KvStore.open(PATH, {
        fileSystem: this.#files,
        clock: this.#clock,
        random: this.#random,
        compaction: { auto: false },
      }));
      await this.#drive(this.#history.check(store, this.#clock.now()));
      await this.#drive(this.#follower.assertCopies(store));
      await this.#drive(store.close());
      await this.#verify(PATH);
      this.#fs.restart("power");
    }
  }

  /**
   * One byte that changed after the store was closed, when all of it was durable: the store refuses
   * to open and leaves the files as they are, or has everything, up to records that it cannot read.
   */
  async #checkDamage(): Promise<void> {
    const image = takeImage(this.#fs);
    const name = this.#random.pick([...image.keys()]);
    const bytes = bytesOf(image, name).slice();
    const at = this.#random.below(bytes.length);
    bytes[at] = bytes[at]! ^ this.#random.between(1, 255);
    const damaged = withFile(image, name, bytes);
    const fs = fromImage(damaged);
    const clock = this.#clock;
    let store: KvStore;
    try {
      store = await this.#drive(
        KvStore.open(PATH, { fileSystem: fs, clock, random: this.#random }),
      );
    } catch (error) {
      assert(error instanceof KvError && /^(CorruptLog|Unsupported)$/.test(error.code), `${error}`);
      return assertUntouched(fs, damaged);
    }
    const { version } = store.stats();
    assert(version >= this.#history.promisedLsn, "nothing was dropped in silence");
    try {
      await this.#drive(this.#history.checkCopy(store, version, clock.now()));
    } catch (error) {
      if (!(error instanceof KvError && error.code === "CorruptLog")) throw error;
      await this.#drive(this.#history.checkReadable(store, version, clock.now()));
    }
    await this.#drive(store.close());
  }
}
