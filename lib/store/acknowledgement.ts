/** Tells those who wait that a write counts as done, by the store's durability. */

import type { GroupCommit } from "./group_commit.ts";
import type { LazySync } from "./lazy_sync.ts";
import type { VisibilityBell } from "./visibility.ts";
import type { SetResult, WriteResult } from "./types.ts";

/** Acknowledges the write that was appended last, in one of several forms. */
export class Acknowledgement {
  /** Whether the set made visible last found its key absent; durability { bytes, millis } only. */
  created = false;

  #commit: GroupCommit | undefined;
  #lazy: LazySync | undefined;
  #bell: VisibilityBell;

  /** One of the two is there. */
  constructor(commit: GroupCommit | undefined, lazy: LazySync | undefined, bell: VisibilityBell) {
    this.#commit = commit;
    this.#lazy = lazy;
    this.#bell = bell;
  }

  /** Resolves when the record appended last, `lsn`, counts as done. */
  of(lsn: number): Promise<WriteResult> {
    if (this.#commit !== undefined) return this.#commit.acknowledged();
    const result = { version: lsn };
    const admitted = this.#lazy!.admitted();
    return admitted === undefined ? Promise.resolve(result) : admitted.then(() => result);
  }

  /** As {@link of}, of a set that stands alone. */
  ofSet(lsn: number): Promise<SetResult> {
    if (this.#commit !== undefined) return this.#commit.acknowledgedSet();
    const result = { version: lsn, created: this.created };
    const admitted = this.#lazy!.admitted();
    return admitted === undefined ? Promise.resolve(result) : admitted.then(() => result);
  }

  /** As {@link of}; the bell tells when {@link WritePath.lsnAcknowledged} has reached the record. */
  byBell(lsn: number): void {
    if (this.#commit !== undefined) this.#commit.commitSoon();
    else this.#lazy!.admit(lsn, () => this.#bell.ring());
  }

  /** As {@link of}, blocking. */
  block(): void {
    if (this.#commit !== undefined) this.#commit.commitNow();
    else this.#lazy!.admitSync();
  }

  /** As {@link ofSet}, blocking. */
  ofSetSync(lsn: number): SetResult {
    if (this.#commit !== undefined) return this.#commit.acknowledgedSetSync();
    const result = { version: lsn, created: this.created };
    this.#lazy!.admitSync();
    return result;
  }
}
