/** What clients did to a store, and what they were told: the events that a history consists of. */

/** What a write demands of its key before it happens. */
export type Condition = { ifAbsent: true } | { ifPresent: true } | { ifVersion: number };

/** One change of a batch; without a value the key is deleted, whether it exists or not. */
export interface BatchChange {
  key: string;
  value: string | undefined;
}

/** A condition of a batch: the key has this version, or with `null` does not exist. */
export interface BatchCheck {
  key: string;
  version: number | null;
}

/** What an update read of a key; without a value it does not exist. */
export interface Seen {
  key: string;
  value: string | undefined;
  /** Undefined if there is no value, or if the interface did not say. */
  version: number | undefined;
}

/** What a client asks for. Every value is written once only, so that a read tells whose it is. */
export type Action =
  | { kind: "get"; key: string }
  | { kind: "set"; key: string; value: string; condition?: Condition }
  | { kind: "delete"; key: string; condition?: Condition }
  | { kind: "batch"; changes: BatchChange[]; checks: BatchCheck[] }
  /** Reads keys and changes keys, with nothing in between. */
  | { kind: "update"; reads: string[]; changes: BatchChange[] };

/** What a client was told. Where a version is undefined, the interface did not say. */
export type Result =
  | { kind: "found"; value: string; version: number | undefined }
  /** A read of, or a delete of, a key that does not exist. */
  | { kind: "missing" }
  /** The write happened; of a batch or an update, the version is that of its last change. */
  | { kind: "done"; version: number | undefined; created?: boolean; seen?: Seen[] }
  /** A condition did not hold, and nothing was written. */
  | { kind: "refused" };

/** A call and what came of it. Times are counted, each event at one of its own. */
export interface Operation {
  client: number;
  action: Action;
  call: number;
  /** Infinity if the outcome is unknown: it may take effect at any time after the call, or never. */
  end: number;
  /** Undefined if the outcome is unknown. */
  result: Result | undefined;
}

/** The keys that an action is about. */
export function keysOf(action: Action): string[] {
  switch (action.kind) {
    case "batch":
      return [...action.changes, ...action.checks].map(({ key }) => key);
    case "update":
      return [...action.changes.map(({ key }) => key), ...action.reads];
    default:
      return [action.key];
  }
}

/** What an action changes if it happens. */
export function changesOf(action: Action): BatchChange[] {
  switch (action.kind) {
    case "get":
      return [];
    case "set":
      return [{ key: action.key, value: action.value }];
    case "delete":
      return [{ key: action.key, value: undefined }];
    case "batch":
    case "update":
      return action.changes;
  }
}

/** The values that a client was told, each with its version as far as that was said. */
export function valuesTold(result: Result | undefined): Seen[] {
  if (result?.kind === "found") return [{ ...result, key: "" }];
  return result?.kind === "done" ? result.seen ?? [] : [];
}

/** Whether an operation is known to have changed nothing: it only says what the state was. */
export function isObservation({ action, result }: Operation): boolean {
  return changesOf(action).length === 0 || (result !== undefined && result.kind !== "done");
}

/** An operation in one line. */
export function describe({ client, action, call, end, result }: Operation): string {
  const time = `${call}–${end === Infinity ? "?" : end}`;
  return `${time.padEnd(11)} client ${String(client).padEnd(3)} ${describeAction(action)} -> ${
    describeResult(result)
  }`;
}

function describeAction(action: Action): string {
  if (action.kind === "batch" || action.kind === "update") {
    const changes = action.changes.map(({ key, value }) =>
      value === undefined ? `delete ${key}` : `set ${key} = ${value}`
    );
    if (action.kind === "update") {
      return `update (${[...action.reads.map((key) => `get ${key}`), ...changes].join(", ")})`;
    }
    const checks = action.checks.map(({ key, version }) => `if ${key} is ${version ?? "missing"}`);
    return `batch (${[...changes, ...checks].join(", ")})`;
  }
  const { kind, key } = action;
  if (kind === "get") return `get ${key}`;
  const what = kind === "set" ? `set ${key} = ${action.value}` : `delete ${key}`;
  if (action.condition === undefined) return what;
  if ("ifVersion" in action.condition) return `${what} if version ${action.condition.ifVersion}`;
  return `${what} ${"ifAbsent" in action.condition ? "if absent" : "if present"}`;
}

function describeResult(result: Result | undefined): string {
  if (result === undefined) return "unknown";
  if (result.kind === "found") return `${result.value}${at(result.version)}`;
  if (result.kind !== "done") return result.kind;
  const { version, created, seen } = result;
  return `done${at(version)}${created === undefined ? "" : created ? ", created" : ", replaced"}${
    seen === undefined ? "" : `, saw ${seen.map(describeSeen).join(", ")}`
  }`;
}

function describeSeen({ key, value, version }: Seen): string {
  return value === undefined ? `no ${key}` : `${key} = ${value}${at(version)}`;
}

function at(version: number | undefined): string {
  return version === undefined ? "" : ` @${version}`;
}
