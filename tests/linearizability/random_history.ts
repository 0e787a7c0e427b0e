/** Small random histories: of a store that does all things right, and then falsified in places. */

import type { SeededRandom } from "../support/seeded_random.ts";
import {
  type Action,
  changesOf,
  type Condition,
  type Operation,
  type Result,
  type Seen,
} from "./operation.ts";

const OPERATIONS_MAX = 7;
const KEYS = ["a", "b"];

interface Stored {
  value: string;
  version: number;
}

/** A history of up to seven operations on one or two keys. About half of them have no order. */
export function randomHistory(random: SeededRandom): Operation[] {
  const keys = KEYS.slice(0, random.between(1, 2));
  const store = new Map<string, Stored>();
  let version = random.below(3);
  const count = random.between(2, OPERATIONS_MAX);
  const lostShare = random.pick([0, 0.2, 0.6]);
  const overlap = random.pick([1, 3, 6]);
  const history = Array.from({ length: count }, (_, index): Operation => {
    const action = randomAction(random, keys, index, version);
    const call = index - random.fraction() * overlap;
    const end = index + random.fraction() * overlap;
    const isLost = random.chance(lostShare);
    if (isLost && random.chance(0.5)) {
      return { client: index, action, call, end: Infinity, result: undefined };
    }
    const [result, written] = answer(store, action, version);
    version += written;
    if (isLost) return { client: index, action, call, end: Infinity, result: undefined };
    return { client: index, action, call, end, result: lessTold(random, result) };
  });
  const lies = random.pick([0, 1, 1, 2]);
  for (let lie = 0; lie < lies; lie++) falsify(random, random.pick(history), history, version);
  return history;
}

function randomAction(
  random: SeededRandom,
  keys: string[],
  index: number,
  version: number,
): Action {
  const key = random.pick(keys);
  const value = `v${index}`;
  const condition = randomCondition(random, version);
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      return { kind: "get", key };
    case 3:
      return { kind: "set", key, value };
    case 4:
      return { kind: "set", key, value, condition };
    case 5:
      return { kind: "delete", key };
    case 6:
      return { kind: "delete", key, condition };
    default: {
      const changes = keys.map((each) => ({
        key: each,
        value: random.chance(0.3) ? undefined : `${value}${each}`,
      }));
      if (random.chance(0.2)) changes.length = 0;
      if (random.chance(0.6)) {
        const reads = random.chance(0.5) ? keys : [key];
        return { kind: "update", reads, changes };
      }
      const check = { key, version: random.chance(0.5) ? null : random.between(1, version + 1) };
      return { kind: "batch", changes, checks: random.chance(0.5) ? [check] : [] };
    }
  }
}

function randomCondition(random: SeededRandom, version: number): Condition {
  const kind = random.below(4);
  if (kind === 0) return { ifAbsent: true };
  if (kind === 1) return { ifPresent: true };
  return { ifVersion: Math.max(1, version - random.below(3)) };
}

/** What a store says to an action, and how many records it writes for it. */
function answer(store: Map<string, Stored>, action: Action, version: number): [Result, number] {
  if (action.kind === "batch" || action.kind === "update") {
    const seen = action.kind === "batch" ? undefined : action.reads.map((key): Seen => {
      return { key, value: undefined, version: undefined, ...store.get(key) };
    });
    const holds = action.kind === "update" ||
      action.checks.every((check) => (store.get(check.key)?.version ?? null) === check.version);
    if (!holds) return [{ kind: "refused" }, 0];
    action.changes.forEach(({ key, value }, index) => {
      if (value === undefined) store.delete(key);
      else store.set(key, { value, version: version + 1 + index });
    });
    const { length } = action.changes;
    const result: Result = { kind: "done", version: version + length };
    return [seen === undefined ? result : { ...result, seen }, length];
  }
  const stored = store.get(action.key);
  if (action.kind === "get") {
    return [stored === undefined ? { kind: "missing" } : { kind: "found", ...stored }, 0];
  }
  const { key, condition } = action;
  if (action.kind === "delete" && stored === undefined) return [{ kind: "missing" }, 0];
  const holds = condition === undefined ||
    ("ifAbsent" in condition
      ? stored === undefined
      : stored !== undefined && ("ifPresent" in condition ||
        stored.version === condition.ifVersion));
  if (!holds) return [{ kind: "refused" }, 0];
  if (action.kind === "delete") store.delete(key);
  else store.set(key, { value: action.value, version: version + 1 });
  const created = action.kind === "set" ? { created: stored === undefined } : {};
  return [{ kind: "done", version: version + 1, ...created }, 1];
}

/** Some interfaces do not tell versions, or whether a key was new. */
function lessTold(random: SeededRandom, result: Result): Result {
  if (result.kind === "found" && random.chance(0.2)) return { ...result, version: undefined };
  if (result.kind !== "done") return result;
  const version = random.chance(0.3) ? undefined : result.version;
  if (result.seen !== undefined) {
    const seen = result.seen.map((each) =>
      random.chance(0.2) ? { ...each, version: undefined } : each
    );
    return { kind: "done", version, seen };
  }
  if (result.created === undefined || random.chance(0.5)) return { kind: "done", version };
  return { ...result, version };
}

/** Makes an operation tell something else, or at another time. */
function falsify(
  random: SeededRandom,
  operation: Operation,
  history: readonly Operation[],
  version: number,
): void {
  const { action, result } = operation;
  if (result === undefined) return;
  if (random.chance(0.2)) {
    operation.call += random.pick([-3, 3]);
    operation.end = operation.call + 1 + random.fraction();
    return;
  }
  const other = random.between(1, version + 1);
  if (action.kind === "get") {
    const values = history.flatMap(({ action }) => action.kind === "set" ? [action.value] : []);
    operation.result = values.length === 0 || random.chance(0.3)
      ? { kind: "missing" }
      : { kind: "found", value: random.pick(values), version: other };
    if (result.kind === "found" && random.chance(0.4)) {
      operation.result = { ...result, version: other };
    }
    return;
  }
  if (result.kind === "done" && result.seen !== undefined && random.chance(0.6)) {
    const wrong = random.pick(result.seen);
    const value = random.pick([
      undefined,
      ...history.flatMap(({ action }) => changesOf(action).map(({ value }) => value)),
    ]);
    const lie = random.chance(0.5)
      ? { ...wrong, version: wrong.value === undefined ? undefined : other }
      : { ...wrong, value, version: value === undefined ? undefined : wrong.version };
    operation.result = { ...result, seen: result.seen.map((one) => one === wrong ? lie : one) };
    return;
  }
  operation.result = random.pick<Result>([
    { kind: "refused" },
    { kind: "done", version: undefined },
    { kind: "done", version: other },
    action.kind === "delete" ? { kind: "missing" } : { kind: "refused" },
  ]);
}
