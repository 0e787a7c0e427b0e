/** Calls to a store that are under way while the machine may stop and the disk may fail. */

import assert from "node:assert/strict";
import { KvError } from "../../lib/errors.ts";
import type { CrashFileSystem } from "./crash_file_system.ts";
import type { TaskQueue } from "./task_queue.ts";

const TURNS_MAX = 5000;

/** Each must settle, whatever happens, and may fail only if the disk or the machine did. */
export class CrashCalls {
  /** Whether the store is being closed, which ends some calls. */
  closing = false;
  readonly #fs: CrashFileSystem;
  readonly #queue: TaskQueue;
  readonly #underWay = new Set<Promise<unknown>>();
  /** What went wrong in a call under way, other than by a stop or a fault. */
  #failure: unknown;

  constructor(fs: CrashFileSystem, queue: TaskQueue) {
    this.#fs = fs;
    this.#queue = queue;
  }

  /** Takes a call that may fail only by the disk. */
  track(call: Promise<unknown>): void {
    const settled: Promise<unknown> = call.catch((error) => {
      try {
        this.tolerate(error);
      } catch {
        this.#failure ??= error;
      }
    }).finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
  }

  /** Takes a call that must fail with `code`, or by the disk. */
  mustFail(code: string, call: Promise<unknown>): void {
    this.track(call.then(
      () => assert.fail(`a call succeeded that must fail with ${code}`),
      (error) => {
        if (!(error instanceof KvError && error.code === code)) throw error;
      },
    ));
  }

  /** As {@link mustFail}, of a call that blocks. */
  mustFailNow(code: string, call: () => unknown): void {
    try {
      call();
    } catch (error) {
      if (!(error instanceof KvError && error.code === code)) this.tolerate(error);
      return;
    }
    assert.fail(`a call succeeded that must fail with ${code}`);
  }

  /** Throws the error again, unless it is the disk's and to be expected. */
  tolerate(error: unknown): void {
    const isDisk = error instanceof KvError && (error.code === "Io" || error.code === "NoSpace");
    if (!isDisk || !this.#disturbed) throw error;
  }

  /** Whether every call must succeed. */
  get undisturbed(): boolean {
    return !this.closing && !this.#disturbed;
  }

  get #disturbed(): boolean {
    return this.#fs.stopped || this.#fs.faults.struck;
  }

  /** Throws the error again, unless it says that the store was closed meanwhile, and it was. */
  tolerateClosing(error: unknown): void {
    const isCutOff = this.closing && error instanceof KvError && error.code === "Closed";
    if (!isCutOff) throw error;
  }

  /** Throws the error again, unless it calls damaged what the disk had failed to read. */
  tolerateUnreadable(error: unknown): void {
    const isDamage = error instanceof KvError && error.code === "CorruptLog";
    if (!isDamage || !this.#fs.faults.struck) throw error;
  }

  /** Waits until nothing is under way; none may hang. `onTurn` is told how long it has waited. */
  async settle(onTurn: (turns: number) => void): Promise<void> {
    for (let turns = 0; this.#underWay.size > 0; turns++) {
      assert(turns < TURNS_MAX, "a call hangs");
      onTurn(turns);
      await this.#queue.runOne();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}
