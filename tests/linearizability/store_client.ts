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
import type { Action, Condition, Result } from "./operation.ts";
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

type Write = Exclude<Action, { kind: "get" }>;

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

function opsOf({ changes }: Write & { kind: "batch" }): BatchOp[] {
  return changes.map(({ key, value }) =>
    value === undefined ? { op: "del", key } : { op: "set", key, value: toBytes(value) }
  );
}
