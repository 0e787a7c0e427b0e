/** Followers of a store's changes that keep a copy of it, and hold every change against what was written. */

import assert from "node:assert/strict";
import { KvError } from "../../lib/errors.ts";
import { decodeActive } from "../../lib/format/active.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { Change, ChangesOptions } from "../../lib/store/types.ts";
import { PATH, scanAll } from "./test_store.ts";

/** All changes that a feed yields until it ends. */
export async function takeAll(store: KvStore, options: ChangesOptions = {}): Promise<Change[]> {
  const changes: Change[] = [];
  for await (const change of store.changes({ live: false, ...options })) changes.push(change);
  return changes;
}

/** The newest delete or expiry that compaction has dropped for good, as ACTIVE has it. */
export function droppedLsn(fs: FileSystem): number {
  const state = decodeActive(readFile(fs, `${PATH}/wal/ACTIVE`, 1 << 20));
  assert("droppedLsn" in state);
  return state.droppedLsn;
}

/** Everything that was ever written, by version. */
export class ChangeHistory {
  readonly #changes: Change[] = [];
  readonly #newest = new Map<string, Change>();

  /** The version of the change written last. */
  get version(): number {
    return this.#changes.length;
  }

  /** Takes note of a write, which must get the next version. */
  add(change: Omit<Change, "version">): void {
    const numbered = { version: this.version + 1, ...change };
    this.#changes.push(numbered);
    this.#newest.set(change.key, numbered);
  }

  /** Whether a key exists. */
  has(key: string, now: number): boolean {
    const newest = this.#newest.get(key);
    return newest?.op === "set" && !isExpired(newest, now);
  }

  /**
   * What was written under a version must be what a feed says; or a delete in the place of what was
   * to expire, once it has, or was deleted before.
   */
  assertWritten(change: Change, now: number): void {
    const written = this.#changes[change.version - 1];
    assert(written !== undefined, `version ${change.version} was written`);
    if (change.op === "del" && written.op === "set") {
      const isOver = isExpired(written, now) || this.#newest.get(written.key) !== written;
      assert(written.expiresAt && isOver, `version ${change.version} is no delete`);
      assert.deepEqual(change, { version: written.version, op: "del", key: written.key });
    } else {
      assert.deepEqual(change, written);
    }
  }

  /** Of the versions between two that a feed handed out, all must have been superseded. */
  assertSuperseded(after: number, before: number): void {
    for (let version = after + 1; version < before; version++) {
      const { key } = this.#changes[version - 1]!;
      const newest = this.#newest.get(key)!.version;
      assert(newest > version, `the feed left out version ${version} of ${key}`);
    }
  }
}

/** A copy of a store that is kept up by its changes. */
export class ChangeFollower {
  readonly copy = new Map<string, Change>();
  /** How often it had to start from a scan. */
  restarts = 0;
  /** Up to where the copy is that of the store. */
  version = 0;
  readonly #fs: FileSystem;
  readonly #history: ChangeHistory;
  readonly #retainedVersions: number;

  constructor(fs: FileSystem, history: ChangeHistory, retainedVersions: number) {
    this.#fs = fs;
    this.#history = history;
    this.#retainedVersions = retainedVersions;
  }

  /** Follows the store for `limit` changes, or until the feed ends; from a scan if need be. */
  async follow(
    store: KvStore,
    now: () => number,
    limit: number,
    options: ChangesOptions,
  ): Promise<void> {
    try {
      const feed = store.changes({ ...options, since: this.version });
      let remaining = limit;
      for await (const change of feed) {
        this.#apply(change, now());
        if (--remaining === 0) return;
      }
      this.#passTo(feed.version);
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "Compacted") throw error;
      assert(droppedLsn(this.#fs) > this.version, "nothing was dropped that the feed had to show");
      assert(
        this.version < this.#history.version - this.#retainedVersions,
        "versions are retained",
      );
      await this.#startFromScan(store);
    }
  }

  /** Holds the copy against the store; whoever follows removes what has expired himself. */
  async assertCopies(store: KvStore, now: number): Promise<void> {
    const entries = (await scanAll(store)).map(({ key, version, value }) => [key, version, value]);
    const copied = [...this.copy.values()].filter((change) => !isExpired(change, now))
      .map(({ key, version, value }) => [key, version, value])
      .sort(([left], [right]) => Buffer.compare(Buffer.from(`${left}`), Buffer.from(`${right}`)));
    assert.deepEqual(copied, entries);
  }

  #apply(change: Change, now: number): void {
    assert(change.version > this.version, `version ${change.version} comes twice, or too late`);
    this.#history.assertWritten(change, now);
    this.#passTo(change.version);
    if (change.op === "set") this.copy.set(change.key, change);
    else this.copy.delete(change.key);
  }

  #passTo(version: number): void {
    this.#history.assertSuperseded(this.version, version);
    this.version = version;
  }

  async #startFromScan(store: KvStore): Promise<void> {
    this.restarts++;
    const { version } = store.stats();
    this.copy.clear();
    for await (const entry of store.scan()) this.copy.set(entry.key, { ...entry, op: "set" });
    this.version = version;
  }
}

function isExpired({ expiresAt }: Change, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}
