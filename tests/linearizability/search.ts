/**
 * The search of Wing and Gong for an order in which operations can have happened one at a time, with
 * Lowe's memory of what was tried before. Three things keep it short: observations that fit a state
 * are placed at once, since they change nothing; writes whose versions are known can only be placed
 * in the order of these; and of what may never have happened, all that is alike counts as one thing of
 * which there are several, and having used fewer of them is never worse.
 */

import { type Action, isObservation, type Operation } from "./operation.ts";
import { subjectsOf } from "./partition.ts";
import { EMPTY, type State, stateKey, step } from "./register_model.ts";

/** Steps after which a search gives up. */
const STEPS_MAX = 2_000_000;

/** Stands for any value that nobody read. */
const UNSEEN = "(unseen)";

/** What a search found. */
export interface SearchResult {
  /** Undecided: neither an order was found, nor that there is none, in all the steps allowed. */
  verdict: "linearizable" | "violation" | "undecided";
  /** The order found; without one, the longest beginning of any that was tried. */
  order: Operation[];
  /** The state after it. */
  state: State;
}

interface Node {
  operation: Operation;
  /** That of the operation, but with {@link UNSEEN} values if nobody read any. */
  action: Action;
  version: number | undefined;
  isCertain: boolean;
  isObservation: boolean;
  /** Position among the certain writes of known version, by version; -1 for others. */
  rank: number;
  /** Position among those that returned, by call; Infinity for others. */
  index: number;
  /** What may never have happened and is alike in all but its values has one number; -1 for others. */
  kind: number;
  isPlaced: boolean;
}

/** A state of the search, and how to leave it again. */
interface Frame {
  state: State;
  /** Writes that may come next, the next one to try last. */
  candidates: Node[];
  /** How many operations were placed when it was entered, its own observations not included. */
  placed: number;
}

/** Looks for an order of operations, which must be sorted by their calls. */
export function search(operations: readonly Operation[]): SearchResult {
  return new Search(operations).run();
}

class Search {
  readonly #nodes: Node[];
  /** Those that must be placed and returned, by their calls; and the others. */
  readonly #returned: Node[];
  readonly #open: Node[];
  readonly #certainCount: number;
  readonly #placed: Node[] = [];
  /** How many of each kind were used whenever a position was tried. */
  readonly #tried = new Map<string, number[][]>();
  /** How many of each kind are used now. */
  readonly #used: number[];
  /** Everything in `#returned` before this is placed. */
  #low = 0;
  #returnedPlaced = 0;
  #certainPlaced = 0;
  /** The rank that the next write of known version must have. */
  #rank = 0;
  #longest: Operation[] = [];
  #longestState = EMPTY;
  #longestCertain = -1;

  constructor(operations: readonly Operation[]) {
    const kinds: string[] = [];
    this.#nodes = subjectsOf(operations).map((subject) => {
      const { operation, isCertain } = subject;
      const action = isCertain ? operation.action : withoutValues(operation.action);
      const name = JSON.stringify(action);
      if (!isCertain && !kinds.includes(name)) kinds.push(name);
      return {
        ...subject,
        action,
        isObservation: isObservation(operation),
        rank: -1,
        index: Infinity,
        kind: isCertain ? -1 : kinds.indexOf(name),
        isPlaced: false,
      };
    });
    this.#used = kinds.map(() => 0);
    this.#nodes.filter(({ isCertain, version, isObservation }) =>
      isCertain && version !== undefined && !isObservation
    ).sort((a, b) => a.version! - b.version!).forEach((node, rank) => node.rank = rank);
    this.#returned = this.#nodes.filter(({ operation }) => operation.end !== Infinity);
    this.#returned.forEach((node, index) => node.index = index);
    this.#open = this.#nodes.filter(({ operation }) => operation.end === Infinity);
    this.#certainCount = this.#nodes.filter(({ isCertain }) => isCertain).length;
  }

  run(): SearchResult {
    const frames = [this.#enter(EMPTY, 0)];
    let steps = 0;
    while (this.#certainPlaced < this.#certainCount) {
      const frame = frames.at(-1);
      if (frame === undefined) return this.#end("violation");
      const node = frame.candidates.pop();
      if (node === undefined) {
        this.#takeBack(frame.placed);
        frames.pop();
        continue;
      }
      if (++steps > STEPS_MAX) return this.#end("undecided");
      const { action, version, operation: { result } } = node;
      const state = step(frame.state, action, result, version);
      if (state === undefined) continue;
      const placed = this.#placed.length;
      this.#place(node);
      frames.push(this.#enter(state, placed));
    }
    return this.#end("linearizable");
  }

  /** Places the observations that fit, and lists what may follow: nothing, if that was tried. */
  #enter(state: State, placed: number): Frame {
    let next = this.#next();
    while (true) {
      const fitting = next.filter((node) =>
        node.isObservation &&
        step(state, node.operation.action, node.operation.result, undefined) !== undefined
      );
      if (fitting.length === 0) break;
      for (const node of fitting) this.#place(node);
      next = this.#next();
    }
    if (this.#certainPlaced > this.#longestCertain) {
      this.#longestCertain = this.#certainPlaced;
      this.#longest = this.#placed.map(({ operation }) => operation);
      this.#longestState = state;
    }
    if (this.#wasTried(state)) return { state, candidates: [], placed };
    const candidates = next.filter((node) =>
      !node.isObservation && (node.rank === -1 || node.rank === this.#rank)
    );
    return { state, candidates: candidates.sort(byPromise), placed };
  }

  /** What may come next: whatever was called before all else that is left had returned. */
  #next(): Node[] {
    const next: Node[] = [];
    let firstEnd = Infinity;
    for (let at = this.#low; at < this.#returned.length; at++) {
      const node = this.#returned[at]!;
      if (node.operation.call > firstEnd) break;
      if (node.isPlaced) continue;
      next.push(node);
      firstEnd = Math.min(firstEnd, node.operation.end);
    }
    const kinds = new Set<number>();
    for (const node of this.#open) {
      if (node.operation.call > firstEnd) break;
      // Of several that are alike, the first can take the place of any.
      if (node.isPlaced || kinds.has(node.kind)) continue;
      next.push(node);
      if (node.kind !== -1) kinds.add(node.kind);
    }
    return next;
  }

  #place(node: Node): void {
    node.isPlaced = true;
    this.#placed.push(node);
    if (node.isCertain) this.#certainPlaced++;
    if (node.rank !== -1) this.#rank++;
    if (node.index !== Infinity) this.#returnedPlaced++;
    if (node.kind !== -1) this.#used[node.kind]!++;
    while (this.#returned[this.#low]?.isPlaced) this.#low++;
  }

  /** Takes back all but the first `count` operations. */
  #takeBack(count: number): void {
    while (this.#placed.length > count) {
      const node = this.#placed.pop()!;
      node.isPlaced = false;
      if (node.isCertain) this.#certainPlaced--;
      if (node.rank !== -1) this.#rank--;
      if (node.index !== Infinity) this.#returnedPlaced--;
      if (node.kind !== -1) this.#used[node.kind]!--;
      this.#low = Math.min(this.#low, node.index);
    }
  }

  /** Whether the search has been here before, with as much left to use; if not, it has now. */
  #wasTried(state: State): boolean {
    const position = this.#position(state);
    const before = this.#tried.get(position);
    if (before === undefined) {
      this.#tried.set(position, [[...this.#used]]);
      return false;
    }
    if (before.some((used) => used.every((count, kind) => count <= this.#used[kind]!))) return true;
    before.push([...this.#used]);
    return false;
  }

  /** The state, and which operations are placed of those that must be. */
  #position(state: State): string {
    const beyond: number[] = [];
    const beyondCount = this.#returnedPlaced - this.#low;
    for (let at = this.#low; beyond.length < beyondCount; at++) {
      if (this.#returned[at]!.isPlaced) beyond.push(at);
    }
    const open = this.#open.filter(({ isPlaced, isCertain }) => isPlaced && isCertain)
      .map(({ operation: { call } }) => call);
    return `${this.#low} ${beyond.join(",")} ${open.join(",")} ${stateKey(state)}`;
  }

  #end(verdict: SearchResult["verdict"]): SearchResult {
    if (verdict !== "linearizable") {
      return { verdict, order: this.#longest, state: this.#longestState };
    }
    const order = this.#placed.map(({ operation }) => operation);
    return { verdict, order, state: this.#longestState };
  }
}

/** Sorts what is to be tried first to the end: what is certain, and of that what returned first. */
function byPromise(a: Node, b: Node): number {
  if (a.isCertain !== b.isCertain) return a.isCertain ? 1 : -1;
  return b.operation.end - a.operation.end || b.operation.call - a.operation.call;
}

function withoutValues(action: Action): Action {
  if (action.kind === "set") return { ...action, value: UNSEEN };
  if (action.kind !== "batch" && action.kind !== "update") return action;
  const changes = action.changes.map(({ key, value }) => ({
    key,
    value: value === undefined ? undefined : UNSEEN,
  }));
  return { ...action, changes };
}
