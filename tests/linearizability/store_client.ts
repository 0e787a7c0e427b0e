/** The operations of a history, carried out on a store in this process. */

import { KvError } from "../../lib/errors.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type {
  BatchOp,
  DeleteOptions,
  SetOptions,
  SetResult,
  WriteResult,
} from "../../lib/store/types.ts";
import type { SeededRandom } from "../support/seeded_random.ts";
import type { Action, BatchChange, Condition, Result, Seen } from "./operation.ts";
import { fromBytes, toBytes } from "./workload.ts";

/** How many of the calls block, where a store takes both kinds. */
const BLOCKING_SHARE = 0.1;

/** Carries out an action. Undefined: the store has failed, and nobody knows what it did. */
export async function performOn(
  store: KvStore,
  action: Action,
  random: SeededRandom,
): Promise<Result | undefined> {
  try {
    const blocking = random.chance(BLOCKING_SHARE);
    if (action.kind === "get") return await read(store, action.key, blocking, random.chance(0.5));
    if (action.kind === "update") return await update(store, action);
    const result = await (blocking ? writeSync(store, action) : write(store, action));
    // A batch of nothing has written nothing: the version says what the store's newest one is.
    const isEmpty = action.kind === "batch" && action.changes.length === 0;
    return { ...result, kind: "done", version: isEmpty ? undefined : result.version };
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    if (error.code === "NotFound") return { kind: "missing" };
    if (error.code === "ConditionFailed") return { kind: "refused" };
    if (error.code === "Io" || error.code === "Closed") return undefined;
    throw error;
  }
}

async function read(
  store: KvStore,
  key: string,
  blocking: boolean,
  withVersion: boolean,
): Promise<Result> {
  if (withVersion) {
    const entry = blocking ? store.getEntrySync(key) : await store.getEntry(key);
    if (entry === undefined) return { kind: "missing" };
    return { kind: "found", value: fromBytes(entry.value), version: entry.version };
  }
  const bytes = blocking ? store.getSync(key) : await store.get(key);
  if (bytes === undefined) return { kind: "missing" };
  return { kind: "found", value: fromBytes(bytes), version: undefined };
}

type Update = Action & { kind: "update" };

/** Thrown by an update that only wanted to look. */
class OnlyLooked extends Error {}

async function update(store: KvStore, action: Update): Promise<Result> {
  let seen: Seen[] = [];
  const call = store.update((newest) => {
    seen = action.reads.map((key) => {
      const { value, version } = newest(key) ?? {};
      return { key, value: value && fromBytes(value), version };
    });
    // To throw must be as good as to write nothing: what was seen holds all the same.
    if (action.changes.length === 0 && seen.length === 1) throw new OnlyLooked();
    return opsOf(action);
  });
  try {
    const { version } = await call;
    return { kind: "done", version: action.changes.length === 0 ? undefined : version, seen };
  } catch (error) {
    if (error instanceof OnlyLooked) return { kind: "done", version: undefined, seen };
    throw error;
  }
}

type Write = Exclude<Action, { kind: "get" | "update" }>;

function write(store: KvStore, action: Write): Promise<WriteResult | SetResult> {
  switch (action.kind) {
    case "set":
      return store.set(action.key, toBytes(action.value), optionsOf(action.condition));
    case "delete":
      return store.delete(action.key, optionsOf(action.condition));
    case "batch":
      return store.batch(opsOf(action), { checks: action.checks });
  }
}

function writeSync(store: KvStore, action: Write): WriteResult | SetResult {
  switch (action.kind) {
    case "set":
      return store.setSync(action.key, toBytes(action.value), optionsOf(action.condition));
    case "delete":
      return store.deleteSync(action.key, optionsOf(action.condition));
    case "batch":
      return store.batchSync(opsOf(action), { checks: action.checks });
  }
}

function optionsOf(condition: Condition | undefined): SetOptions & DeleteOptions {
  if (condition === undefined) return {};
  if ("ifPresent" in condition) throw new Error("The library has no such condition");
  return condition;
}

function opsOf({ changes }: { changes: readonly BatchChange[] }): BatchOp[] {
  return changes.map(({ key, value }) =>
    value === undefined ? { op: "del", key } : { op: "set", key, value: toBytes(value) }
  );
}
