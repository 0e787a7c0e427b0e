/**
 * Histories with crashes inside, on a simulated disk: the power is cut, the process is killed, or
 * fsync fails and the store goes on reading. Each time the store is opened again, on what is left,
 * and the same history goes on. Repeats with its seed, order of events included.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvStore } from "../../lib/store/store.ts";
import { CrashFileSystem } from "../support/crash_file_system.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { SteppingClock } from "../support/stepping_clock.ts";
import { PATH, turn } from "../support/test_store.ts";
import { assertLinearizable } from "./checker.ts";
import { HistoryRecorder } from "./history_recorder.ts";
import type { Action, Result } from "./operation.ts";
import { forEachSeedAsync, TIMEOUT_MS } from "./seeds.ts";
import { performOn } from "./store_client.ts";
import { Client, type Workload } from "./workload.ts";

const HISTORIES = 100;
const CLIENTS = 16;
/** What clients do of a life at most; a crash may come before. */
const OPERATIONS_A_LIFE = 120;

test(
  "crashes on a simulated disk leave one order of events",
  { timeout: TIMEOUT_MS },
  async () => {
    let unknown = 0;
    const histories = await forEachSeedAsync(
      HISTORIES,
      "everything about it is repeated",
      async (seed) => {
        const run = new SimulatedRun(seed);
        await run.live();
        unknown += run.recorder.unknownCount;
      },
    );
    assert(unknown > histories, "crashes come while operations are under way");
  },
);

class SimulatedRun {
  readonly recorder = new HistoryRecorder();
  readonly #random: SeededRandom;
  readonly #disk: CrashFileSystem;
  readonly #clients: Client[];
  #now = 1_700_000_000_000;
  #clock: SteppingClock;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#disk = new CrashFileSystem({ random: this.#random });
    this.#clock = new SteppingClock(this.#random, this.#now);
    const workload: Workload = {
      recorder: this.recorder,
      random: this.#random,
      values: { count: 0 },
      special: "library",
    };
    this.#clients = Array.from({ length: CLIENTS }, (_, id) => new Client(id, workload));
  }

  async live(): Promise<void> {
    const lives = this.#random.between(2, 5);
    const ends: string[] = [];
    for (let life = 0; life < lives; life++) ends.push(await this.#liveOnce());
    assertLinearizable(this.recorder.operations, `lives ended by: ${ends.join(", ")}`);
  }

  async #liveOnce(): Promise<string> {
    const random = this.#random;
    const ending = random.pick(["power cut", "kill", "failed fsync, then power cut"]);
    const files = new InterceptingFileSystem(this.#disk);
    this.#clock = new SteppingClock(random, this.#now += 1000);
    const store = await KvStore.open(PATH, {
      fileSystem: files,
      clock: this.#clock,
      random,
      segmentBytesMax: 4096,
      compaction: { deadBytesMin: 4096 },
    });
    await this.#clients[0]!.readAll((action) => performOn(store, action, random));
    const count = random.between(1, 60);
    if (ending.startsWith("failed")) failSync(files, count);
    else this.#disk.stopAfter(count);
    await this.#work(store);
    this.#disk.stop();
    await store.close().catch(() => {});
    this.#disk.restart(ending === "kill" ? "kill" : "power");
    return ending;
  }

  /** Lets all clients work, until they have done enough or nothing goes any more. */
  async #work(store: KvStore): Promise<void> {
    let left = OPERATIONS_A_LIFE;
    const perform = async (action: Action): Promise<Result | undefined> => {
      const result = await performOn(store, action, this.#random);
      // A machine without power says nothing more; whatever the simulation still returned is lost.
      return this.#disk.stopped ? undefined : result;
    };
    await Promise.all(this.#clients.map(async (client) => {
      while (left-- > 0 && !this.#disk.stopped) {
        await client.act(perform);
        if (this.#random.chance(0.5)) await turn();
        if (this.#random.chance(0.02)) void store.compact().catch(() => {});
      }
    }));
  }
}

/** Makes the `count`th fsync from now on fail, and all after it, as a disk that is gone. */
function failSync(files: InterceptingFileSystem, count: number): void {
  let left = count;
  const fail = () => {
    if (--left <= 0) throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
  };
  files.beforeSync = fail;
  files.beforeSyncAsync = fail;
}
