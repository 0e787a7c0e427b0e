/**
 * Sets of all connections that do not count as done yet, in the order of the log. One call for each
 * group commit is enough to answer all of them; a promise for each of them took 1 µs under Bun.
 */

import type { CountedAccess } from "../telemetry/counted_access.ts";
import { resultOf } from "../telemetry/operation_counts.ts";
import type { OwedReply, ReplyOwner } from "./owed_reply.ts";

/** Those of one server. */
export class SetsInFlight {
  readonly #access: CountedAccess;
  #owed: OwedReply[] = [];
  #isWaiting = false;

  constructor(access: CountedAccess) {
    this.#access = access;
  }

  /** Whether everything up to this version counts as done. */
  isDone(version: number): boolean {
    return version <= this.#access.direct.acknowledged;
  }

  /** Counts a set that was done at once. */
  countDone(): void {
    this.#access.sets.ok++;
  }

  /** Takes replies whose versions are above all others. */
  add(owed: OwedReply): void {
    this.#owed.push(owed);
    this.#wait();
  }

  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#access.direct.wait(this.#wake);
  }

  /** Not at once: whoever rings is in the midst of something. */
  #wake = (): void => queueMicrotask(this.#settle);

  #settle = (): void => {
    this.#isWaiting = false;
    const { direct, sets } = this.#access;
    const { acknowledged, failure } = direct;
    const owners: ReplyOwner[] = [];
    let known = 0;
    for (const owed of this.#owed) {
      const isDone = owed.lastVersion <= acknowledged;
      if (!isDone && failure === undefined) break;
      const { owner, count } = owed;
      owed.done = isDone ? count : Math.max(0, acknowledged - owed.firstVersion + 1);
      sets.ok += owed.done;
      if (!isDone) {
        owed.reply = owner.refusal(owed.protocol, failure);
        sets[resultOf(failure)] += count - owed.done;
      }
      if (owners.at(-1) !== owner) owners.push(owner);
      known++;
    }
    if (known === this.#owed.length) this.#owed = [];
    else this.#owed.splice(0, known);
    if (this.#owed.length > 0) this.#wait();
    for (const owner of owners) owner.setsEnded();
  };
}
