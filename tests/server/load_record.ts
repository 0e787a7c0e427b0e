/** What many clients asked a server and were told, and whether the history of the store bears it out. */

import assert from "node:assert/strict";

/** Bytes of a range that is asked for; values are longer, and begin with ASCII. */
export const RANGE_BYTES = 10;

/** A condition that a write was made under. */
export type LoadCondition = { version: number | null };

/** A change as a feed has it. */
export interface FedChange {
  version: number;
  op: "set" | "del";
  key: string;
  value?: string;
}

/** A write that was acknowledged. A single delete is not told its version. */
interface AcknowledgedWrite extends Omit<FedChange, "version"> {
  call: number;
  condition?: LoadCondition | undefined;
}

/** What was read of a key: its version, and its value or the beginning of that; or nothing. */
interface Reading {
  key: string;
  found: { version: number; value?: string; beginning?: string } | undefined;
  /** Everything up to this version had been acknowledged before it was asked for. */
  low: number;
  end: number;
}

/** A write that was refused: at some moment since `low`, one of the conditions did not hold. */
interface Refusal {
  conditions: ({ key: string } & LoadCondition)[];
  low: number;
}

/** One for all clients, which take turns in it. */
export class LoadRecord {
  readonly writes = new Map<number, AcknowledgedWrite>();
  readonly deletes: { key: string; condition: LoadCondition | undefined }[] = [];
  readonly readings: Reading[] = [];
  readonly refusals: Refusal[] = [];
  /** Requests by method, route and class of status. */
  readonly requests = new Map<string, number>();
  requestBytes = 0;
  responseBytes = 0;
  #time = 0;
  #versionMax = 0;

  /** A moment; later ones are greater. */
  tick(): number {
    return ++this.#time;
  }

  /** The newest version that was acknowledged. */
  get versionMax(): number {
    return this.#versionMax;
  }

  /** Notes a write that was told its version. */
  acknowledge(version: number, write: AcknowledgedWrite): void {
    assert(!this.writes.has(version), `version ${version} was given twice`);
    this.writes.set(version, write);
    this.#versionMax = Math.max(this.#versionMax, version);
  }

  /** Counts a request. */
  count(method: string, route: string, status: number): void {
    const name = `${method} ${route} ${Math.floor(status / 100)}xx`;
    this.requests.set(name, (this.requests.get(name) ?? 0) + 1);
  }

  /** Throws unless this history, from the beginning and without gaps, explains all that clients saw. */
  verify(history: readonly FedChange[]): void {
    const byKey = new Map<string, FedChange[]>();
    history.forEach((change, index) => {
      assert.equal(change.version, index + 1, "versions follow one another");
      const changes = byKey.get(change.key);
      if (changes === undefined) byKey.set(change.key, [change]);
      else changes.push(change);
    });
    this.#verifyWrites(history, byKey);
    for (const reading of this.readings) this.#verifyReading(reading, byKey.get(reading.key) ?? []);
    for (const { conditions, low } of this.refusals) {
      const mayFail = conditions.some(({ key, version }) =>
        statesSince(byKey.get(key) ?? [], low).some((state) => (state?.version ?? null) !== version)
      );
      assert(mayFail, `refused without a reason: ${JSON.stringify(conditions)} since ${low}`);
    }
  }

  #verifyWrites(history: readonly FedChange[], byKey: ReadonlyMap<string, FedChange[]>): void {
    const untold = new Map<string, number>();
    for (const change of history) {
      const write = this.writes.get(change.version);
      if (write === undefined) {
        assert.equal(change.op, "del", `nobody wrote ${JSON.stringify(change)}`);
        untold.set(change.key, (untold.get(change.key) ?? 0) + 1);
        continue;
      }
      const { op, key, value, condition } = write;
      assert.deepEqual({ ...change }, {
        version: change.version,
        op,
        key,
        ...(op === "set" && { value }),
      });
      if (condition !== undefined) {
        const before = stateAt(byKey.get(key)!, change.version - 1)?.version ?? null;
        assert.equal(before, condition.version, `the condition of ${change.version} held`);
      }
    }
    for (const version of this.writes.keys()) assert(version <= history.length, "it is there");
    for (const { key } of this.deletes) untold.set(key, (untold.get(key) ?? 0) - 1);
    for (const [key, count] of untold) assert.equal(count, 0, `deletes of ${key}`);
    for (const { key, condition } of this.deletes) {
      if (condition === undefined) continue;
      const changes = byKey.get(key)!;
      const at = changes.findIndex(({ version }) => version === condition.version);
      assert.equal(changes[at + 1]?.op, "del", `${key} was deleted at ${condition.version}`);
    }
  }

  #verifyReading({ key, found, low, end }: Reading, changes: readonly FedChange[]): void {
    const states = statesSince(changes, low);
    const shown = `${key} was ${JSON.stringify(found)} since ${low}`;
    if (found === undefined) return assert(states.includes(undefined), shown);
    const state = states.find((each) => each?.version === found.version);
    assert(state !== undefined, shown);
    assert(
      (this.writes.get(found.version)?.call ?? Infinity) < end,
      `${shown}: before it was written`,
    );
    const { value, beginning } = found;
    if (value !== undefined) assert.equal(value, state.value, key);
    if (beginning !== undefined) assert.equal(beginning, state.value!.slice(0, RANGE_BYTES), key);
  }
}

/** The set that a key had at a version; undefined if it did not exist. */
function stateAt(changes: readonly FedChange[], version: number): FedChange | undefined {
  const last = changes.findLast((change) => change.version <= version);
  return last?.op === "set" ? last : undefined;
}

/** What a key was at a version, and all that it became later. */
function statesSince(changes: readonly FedChange[], version: number): (FedChange | undefined)[] {
  const later = changes.filter((change) => change.version > version);
  return [
    stateAt(changes, version),
    ...later.map((change) => change.op === "set" ? change : undefined),
  ];
}
