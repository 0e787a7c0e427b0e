/**
 * The definition of linearizability itself, tried out in full: every order of every choice of
 * operations that may have taken effect, each executed on a plain map and compared with what the
 * clients were told. Shares nothing with the checker, which is held against it.
 */

import type { Action, Condition, Operation, Result, Seen } from "./operation.ts";

/** What is stored under a key, and by which write: the write's place in the order. */
interface Stored {
  value: string;
  version: number | undefined;
}

interface World {
  map: Map<string, Stored>;
  versions: number[];
}

/** Whether any order at all explains a history; for a handful of operations. */
export function isLinearizableByTrial(history: readonly Operation[]): boolean {
  return someOrder([], history.slice(), { map: new Map(), versions: [0] }, history);
}

function someOrder(
  before: readonly Operation[],
  left: readonly Operation[],
  world: World,
  history: readonly Operation[],
): boolean {
  if (left.every(({ result }) => result === undefined)) return true;
  return left.some((operation) => {
    const others = left.filter((other) => other !== operation);
    if (others.some(({ end }) => end < operation.call)) return false;
    const after: World = { map: new Map(world.map), versions: [...world.versions] };
    const answer = execute(after, operation, history);
    if (operation.result !== undefined && !agrees(answer, operation.result)) return false;
    const ascending = after.versions.every((version, index) =>
      index === 0 || version > after.versions[index - 1]!
    );
    return ascending && someOrder([...before, operation], others, after, history);
  });
}

/** Does what a store would do, and returns what it would say. */
function execute(world: World, operation: Operation, history: readonly Operation[]): Result {
  const { action } = operation;
  if (action.kind === "get") {
    const stored = world.map.get(action.key);
    return stored === undefined ? { kind: "missing" } : { kind: "found", ...stored };
  }
  const missing = action.kind === "delete" && !world.map.has(action.key);
  const refused = !allows(world, action);
  if (missing && operation.result?.kind !== "refused") return { kind: "missing" };
  if (refused) return { kind: "refused" };
  if (missing) return { kind: "missing" };
  if (action.kind === "batch" || action.kind === "update") {
    const version = versionOf(operation, history);
    const seen = action.kind === "batch" ? undefined : action.reads.map((key): Seen => {
      return { key, value: undefined, version: undefined, ...world.map.get(key) };
    });
    action.changes.forEach(({ key, value }, index) => {
      const own = version === undefined ? undefined : version - action.changes.length + 1 + index;
      put(world, key, value, own);
    });
    return seen === undefined ? { kind: "done", version } : { kind: "done", version, seen };
  }
  const created = !world.map.has(action.key);
  const version = versionOf(operation, history);
  put(world, action.key, action.kind === "set" ? action.value : undefined, version);
  return { kind: "done", version, created };
}

function put(
  { map, versions }: World,
  key: string,
  value: string | undefined,
  version: number | undefined,
): void {
  if (value === undefined) map.delete(key);
  else map.set(key, { value, version });
  if (version !== undefined) versions.push(version);
}

/** The version that a write had: as it was told, or else as any reader was. */
function versionOf({ action, result }: Operation, history: readonly Operation[]) {
  if (result?.kind === "done" && result.version !== undefined) return result.version;
  const values = action.kind === "set"
    ? [action.value]
    : action.kind === "batch" || action.kind === "update"
    ? action.changes.map(({ value }) => value)
    : [];
  for (const [index, value] of values.entries()) {
    for (const { result } of history) {
      if (result?.kind === "found" && result.value === value && result.version !== undefined) {
        return result.version + values.length - 1 - index;
      }
      if (result?.kind !== "done" || value === undefined) continue;
      const told = result.seen?.find((seen) => seen.value === value && seen.version !== undefined);
      if (told !== undefined) return told.version! + values.length - 1 - index;
    }
  }
  return undefined;
}

function allows({ map }: World, action: Exclude<Action, { kind: "get" }>): boolean {
  if (action.kind === "update") return true;
  if (action.kind === "batch") {
    for (const { key, version } of action.checks) {
      if (version === null ? map.has(key) : map.get(key)?.version !== version) return false;
    }
    return true;
  }
  return meets(map.get(action.key), action.condition);
}

function meets(stored: Stored | undefined, condition: Condition | undefined): boolean {
  if (condition === undefined) return true;
  if ("ifAbsent" in condition) return stored === undefined;
  return stored !== undefined &&
    ("ifPresent" in condition || stored.version === condition.ifVersion);
}

function agrees(answer: Result, told: Result): boolean {
  if (answer.kind !== told.kind) return false;
  if (answer.kind === "found" && told.kind === "found") {
    return answer.value === told.value &&
      (told.version === undefined || told.version === answer.version);
  }
  if (answer.kind === "done" && told.kind === "done") {
    if (told.created !== undefined && told.created !== answer.created) return false;
    return (told.seen ?? []).every(({ value, version }, index) => {
      const own = answer.seen?.[index];
      return own?.value === value && (version === undefined || version === own?.version);
    });
  }
  return true;
}
