/**
 * Random sequences of all operations, held against a Map. CAIRN_TEST_RUNS multiplies their number;
 * a failure prints the seed that repeats it.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { KvError } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type {
  BatchCheck,
  BatchOp,
  Durability,
  Entry,
  KeyInfo,
  WriteResult,
} from "../../lib/store/types.ts";
import { type Action, anyAction, type Condition, type Form } from "../support/model_actions.ts";
import { type Outcome, StoreModel } from "../support/store_model.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { SteppingClock } from "../support/stepping_clock.ts";
import {
  assertExact,
  DURABILITIES,
  MemoryLogger,
  PATH,
  pattern,
  scanAll,
} from "../support/test_store.ts";

const RUNS = 150 * Number(process.env["CAIRN_TEST_RUNS"] ?? 1);

/** A store with its model. */
class Subject {
  readonly fs = new MemoryFileSystem();
  readonly model = new StoreModel();
  readonly clock: SteppingClock;
  readonly logger = new MemoryLogger();
  store!: KvStore;
  #durability: Durability;
  #pending: Promise<unknown>[] = [];

  constructor(durability: Durability, seed: number) {
    this.#durability = durability;
    this.clock = new SteppingClock(new SeededRandom(seed), 1_000_000);
  }

  async open(readOnly = false): Promise<KvStore> {
    return await KvStore.open(PATH, {
      fileSystem: this.fs,
      clock: this.clock,
      logger: this.logger,
      durability: this.#durability,
      segmentBytesMax: 4096,
      compaction: { deadRatio: 0.4, totalBytes: 20_000, deadBytesMin: 3000 },
      readOnly,
    });
  }

  get now(): number {
    return this.clock.now();
  }

  /** Waits until everything left in flight has come to what it must. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending.splice(0));
  }

  async act(action: Action): Promise<void> {
    const { store, model, now } = this;
    switch (action.do) {
      case "set": {
        const { key, ttl, form } = action;
        const value = pattern(action.value.length, action.value.seed);
        const options = { ...this.#condition(key, action.condition), ...(ttl && { ttl }) };
        const expected = model.set(key, value, options, now);
        return await this.#write(
          form,
          expected,
          () => store.set(key, value, options),
          () => store.setSync(key, value, options),
        );
      }
      case "delete": {
        const { key, form } = action;
        const { ifVersion } = this.#condition(key, action.condition);
        const options = ifVersion === undefined ? {} : { ifVersion };
        const expected = model.delete(key, ifVersion, now);
        return await this.#write(
          form,
          expected,
          () => store.delete(key, options),
          () => store.deleteSync(key, options),
        );
      }
      case "batch": {
        const ops = action.steps.map(({ kind, key, value, ttl }): BatchOp =>
          kind === "set"
            ? { op: "set", key, value: pattern(value.length, value.seed), ...(ttl && { ttl }) }
            : { op: "del", key }
        );
        const checks = action.checks.map(([key, condition]) => this.#check(key, condition));
        const expected = model.batch(ops, checks, now);
        return await this.#write(
          action.form,
          expected,
          () => store.batch(ops, { checks }),
          () => store.batchSync(ops, { checks }),
        );
      }
      case "get": {
        await this.settle();
        const expected = model.get(action.key, now);
        assert.deepEqual(await store.getEntry(action.key), expected);
        assert.deepEqual(await store.get(action.key), expected?.value);
        assert.equal(store.has(action.key), expected !== undefined);
        assert.deepEqual(store.stat(action.key), infoOf(expected));
        return;
      }
      case "scan": {
        await this.settle();
        const { do: _, ...bounds } = action;
        const options = Object.fromEntries(
          Object.entries(bounds).filter(([, value]) => value !== undefined),
        );
        assert.deepEqual(await scanAll(store, options), model.scan(options, now));
        return;
      }
      case "advance":
        await this.settle();
        this.clock.advance(action.ms);
        return;
      case "compact": {
        const compaction = store.compact();
        this.#pending.push(compaction);
        if (action.wait) await compaction;
        return;
      }
      case "flush":
        await store.flush();
        assert.equal(store.stats().durableVersion, model.lsn);
        return;
      case "examine":
        return await this.examine();
      case "reopen":
        await store.close();
        await this.settle();
        this.store = await this.open();
        return await this.examine();
      case "reopenReadOnly": {
        await this.settle();
        await store.flush();
        await using copy = await this.open(true);
        await this.#compare(copy);
        return;
      }
    }
  }

  /** Compares everything there is. */
  async examine(): Promise<void> {
    await this.settle();
    await this.#compare(this.store);
    await assertExact(this.store, this.fs, this.now);
  }

  async #compare(store: KvStore): Promise<void> {
    const expected = this.model.scan({}, this.now);
    assert.deepEqual(await scanAll(store), expected);
    assert.equal(store.size, expected.length);
    assert.equal(store.stats().version, this.model.lsn);
  }

  async #write(
    form: Form,
    expected: Outcome,
    begin: () => Promise<WriteResult>,
    now: () => WriteResult,
  ): Promise<void> {
    if (form === "sync") return assert.deepEqual(outcomeOf(now), expected);
    const outcome = begin().then((result): Outcome => result, codeOf)
      .then((actual) => assert.deepEqual(actual, expected));
    this.#pending.push(outcome);
    if (form === "wait") await outcome;
  }

  #condition(key: string, condition: Condition): { ifAbsent?: boolean; ifVersion?: number } {
    if (condition === "none") return {};
    if (condition === "absent") return { ifAbsent: true };
    const version = this.model.get(key, this.now)?.version ?? 1;
    return { ifVersion: condition === "current" ? version : version + 1 };
  }

  #check(key: string, condition: Condition): BatchCheck {
    const version = this.model.get(key, this.now)?.version ?? null;
    if (condition === "absent") return { key, version: null };
    return { key, version: condition === "stale" ? (version ?? 0) + 1 : version };
  }
}

function infoOf(entry: Entry | undefined): KeyInfo | undefined {
  if (entry === undefined) return undefined;
  const { key: _, value, ...info } = entry;
  return { ...info, size: value.length };
}

function codeOf(error: unknown): Outcome {
  if (error instanceof KvError) return { code: error.code };
  throw error;
}

function outcomeOf(call: () => WriteResult): Outcome {
  try {
    return call();
  } catch (error) {
    return codeOf(error);
  }
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: random operations do to a store what they do to a Map`, {
    timeout: 60_000 + RUNS * 500,
  }, async () => {
    let compactions = 0;
    const property = fc.asyncProperty(
      fc.array(anyAction, { minLength: 20, maxLength: 150, size: "max" }),
      fc.nat(),
      async (actions, seed) => {
        const subject = new Subject(durability, seed);
        subject.store = await subject.open();
        for (const action of actions) await subject.act(action);
        await subject.examine();
        compactions += subject.store.stats().compactions;
        await subject.store.close();
        subject.store = await subject.open();
        await subject.examine();
        assert.deepEqual(subject.logger.troubles, []);
        const { problems } = await KvStore.verify(PATH, { fileSystem: subject.fs });
        assert.deepEqual(problems, []);
        await subject.store.close();
      },
    );
    await fc.assert(property, { numRuns: RUNS });
    assert(compactions > RUNS, "there was something to compact");
  });
}
