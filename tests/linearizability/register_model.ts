/**
 * What a store does when nobody else is there: a map from keys to values with versions. Written as a
 * question: may an operation with this result come next? Versions grow with every write.
 */

import { type Action, changesOf, type Condition, type Result, type Seen } from "./operation.ts";

/** What is stored under a key. The version is undefined if nobody was ever told it. */
export interface Cell {
  value: string;
  version: number | undefined;
}

/** The state between two operations. Never changed: each step makes another one. */
export interface State {
  readonly cells: ReadonlyMap<string, Cell>;
  /** The greatest version written so far, as far as known. */
  readonly newest: number;
}

/** Before anything was written. */
export const EMPTY: State = { cells: new Map(), newest: 0 };

/**
 * The state after an operation, or undefined if it cannot have happened in this state. `version` is
 * what its last change was found to have. With an unknown result, only taking effect is a step.
 */
export function step(
  state: State,
  action: Action,
  result: Result | undefined,
  version: number | undefined,
): State | undefined {
  const allowed = conditionsHold(state, action);
  switch (result?.kind) {
    case "found": {
      const cell = action.kind === "get" ? state.cells.get(action.key) : undefined;
      if (cell === undefined || cell.value !== result.value) return undefined;
      return result.version === undefined || result.version === cell.version ? state : undefined;
    }
    case "missing":
      return hasOneKey(action) && !state.cells.has(action.key) ? state : undefined;
    case "refused":
      return allowed ? undefined : state;
  }
  if (!allowed || action.kind === "get") return undefined;
  if (action.kind === "delete" && !state.cells.has(action.key)) return undefined;
  if (result?.seen?.some((seen) => !isThere(state, seen))) return undefined;
  if (action.kind === "set" && result?.created !== undefined) {
    if (result.created === state.cells.has(action.key)) return undefined;
  }
  return write(state, action, version);
}

function hasOneKey(action: Action): action is Action & { key: string } {
  return action.kind !== "batch" && action.kind !== "update";
}

/** Whether this is what an update reads of a key in this state. */
function isThere({ cells }: State, { key, value, version }: Seen): boolean {
  const cell = cells.get(key);
  return cell?.value === value && (version === undefined || version === cell?.version);
}

/** A state as text, equal for equal states. */
export function stateKey({ cells, newest }: State): string {
  const texts = [...cells].map(([key, { value, version }]) => `${key}=${value}@${version ?? "?"}`);
  return `${newest} ${texts.sort().join(" ")}`;
}

function write(state: State, action: Action, version: number | undefined): State | undefined {
  const changes = changesOf(action);
  if (changes.length === 0) return state;
  const first = version === undefined ? undefined : version - changes.length + 1;
  if (first !== undefined && first <= state.newest) return undefined;
  const cells = new Map(state.cells);
  changes.forEach(({ key, value }, index) => {
    if (value === undefined) cells.delete(key);
    else cells.set(key, { value, version: first === undefined ? undefined : first + index });
  });
  return { cells, newest: version ?? state.newest };
}

function conditionsHold({ cells }: State, action: Action): boolean {
  if (action.kind === "get" || action.kind === "update") return true;
  if (action.kind === "batch") {
    return action.checks.every(({ key, version }) =>
      version === null ? !cells.has(key) : cells.get(key)?.version === version
    );
  }
  return action.condition === undefined || holds(action.condition, cells.get(action.key));
}

function holds(condition: Condition, cell: Cell | undefined): boolean {
  if ("ifAbsent" in condition) return cell === undefined;
  if ("ifPresent" in condition) return cell !== undefined;
  return cell?.version === condition.ifVersion;
}
