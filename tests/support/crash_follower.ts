/** Whoever follows a store's changes, and goes on after each crash from where he was. */

import assert from "node:assert/strict";
import { KvError } from "../../lib/errors.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { Change, ChangeFeed } from "../../lib/store/types.ts";
import type { CrashCalls } from "./crash_calls.ts";
import type { WriteHistory } from "./write_history.ts";

/** What a {@link CrashFollower} works with. */
export interface CrashFollowerContext {
  history: WriteHistory;
  /** Whether what is seen is durable. */
  immediate: boolean;
  /** So many of the newest versions can always be followed. */
  retainedVersions: number;
}

/** How long, and how quickly, the follower follows. */
export interface FollowingPace {
  /** Changes at most. */
  limit: number;
  live: boolean;
  /** Lets others have their turn after each change. */
  later?: (task: () => void) => void;
}

/** A copy of a store that is kept up by its changes; it outlives every crash. */
export class CrashFollower {
  /** Changes that were handed out, in all lives. */
  changes = 0;
  readonly #history: WriteHistory;
  readonly #immediate: boolean;
  readonly #retainedVersions: number;
  readonly #copy = new Map<string, Omit<Change, "op">>();
  #version = 0;
  /** The newest version seen, in a feed or a scan. */
  #versionSeen = 0;
  #feed: ChangeFeed | undefined;
  #following = false;

  constructor({ history, immediate, retainedVersions }: CrashFollowerContext) {
    this.#history = history;
    this.#immediate = immediate;
    this.#retainedVersions = retainedVersions;
  }

  /** The store was opened: what was seen of it may be lost, unless it was durable. */
  resume(version: number): void {
    if (this.#versionSeen <= version) return;
    assert(!this.#immediate, `${this.#versionSeen} was shown, but is lost`);
    this.#startOver();
  }

  /** Goes on following, if it is not at it already. */
  follow(store: KvStore, calls: CrashCalls, pace: FollowingPace): void {
    if (this.#following) return;
    calls.track(this.#follow(store, pace).catch((error) => calls.tolerateClosing(error)));
  }

  /** Ends a feed that waits for news; with `visible`, it must have been told of all up to there. */
  end(visible?: number): void {
    if (this.#feed === undefined) return;
    if (visible !== undefined) {
      assert.equal(this.#feed.version, visible, "a feed waits, though there is more");
    }
    void this.#feed.return();
  }

  /** Follows to the end of a store that nobody writes to; the copy must then be the store. */
  async assertCopies(store: KvStore): Promise<void> {
    this.resume(store.stats().version);
    const follow = () => this.#follow(store, { limit: Infinity, live: false });
    await follow();
    // Perhaps it had to begin with a scan.
    await follow();
    assert.equal(this.#version, store.stats().version);
    const found = new Set<string>();
    for await (const { key, value, version, expiresAt = 0 } of store.scan()) {
      found.add(key);
      const copied = this.#copy.get(key);
      // Where the clock was set back, a scan may have been too late for what is there again.
      if (copied === undefined && this.#history.mayHaveExpired(expiresAt)) continue;
      assert.equal(copied?.version, version, `the version of ${key} is not what the feed said`);
      assert.deepEqual(copied?.value, value);
    }
    for (const [key, { expiresAt = 0 }] of this.#copy) {
      assert(found.has(key) || this.#history.mayHaveExpired(expiresAt), `${key} was never deleted`);
    }
  }

  async #follow(store: KvStore, { limit, live, later }: FollowingPace): Promise<void> {
    this.#following = true;
    let visible = 0;
    const see = () => {
      try {
        visible = store.stats().version;
      } catch {
        // The store is closed: who knows what became visible before.
        visible = this.#history.lastLsn;
      }
    };
    try {
      visible = store.stats().version;
      const feed = this.#feed = store.changes({ since: this.#version, live });
      let left = limit;
      for await (const change of feed) {
        see();
        this.#history.checkChange(change, this.#version, visible);
        this.#take(change);
        if (--left <= 0) break;
        if (later !== undefined) await new Promise<void>((resolve) => later(resolve));
      }
      see();
      this.#history.checkSkipped(this.#version, feed.version + 1, visible);
      this.#version = feed.version;
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "Compacted") throw error;
      this.#history.checkCompacted(this.#version);
      see();
      assert(this.#version < visible - this.#retainedVersions, "these versions are retained");
      await this.#startFromScan(store);
    } finally {
      this.#feed = undefined;
      this.#following = false;
    }
  }

  #take(change: Change): void {
    this.changes++;
    this.#version = change.version;
    this.#see(change.version);
    if (change.op === "set") this.#copy.set(change.key, change);
    else this.#copy.delete(change.key);
  }

  #see(version: number): void {
    this.#versionSeen = Math.max(this.#versionSeen, version);
    // What was seen once is never lost.
    if (this.#immediate) this.#history.promise(version);
  }

  async #startFromScan(store: KvStore): Promise<void> {
    this.#startOver();
    const { version } = store.stats();
    for await (const entry of store.scan()) {
      this.#copy.set(entry.key, entry);
      this.#see(entry.version);
    }
    this.#version = version;
    this.#see(version);
  }

  #startOver(): void {
    this.#copy.clear();
    this.#version = 0;
    this.#versionSeen = 0;
  }
}
