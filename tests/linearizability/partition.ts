/**
 * Divides a history into parts that can be checked one by one: a history is linearizable if each of
 * its objects is, and an object is a key, or several keys that batches tie together.
 */

import { changesOf, keysOf, type Operation, valuesTold } from "./operation.ts";

/** An operation together with what other operations tell about it. */
export interface Subject {
  operation: Operation;
  /** Version of its last change: from its result, or from whoever read what it wrote. */
  version: number | undefined;
  /** Whether it took effect for certain: it returned, or what it wrote was read. */
  isCertain: boolean;
}

/** The operations on keys that depend on each other, in the order of their calls. */
export interface Partition {
  keys: string[];
  operations: Operation[];
}

/** Divides a history, most operations first. */
export function divide(history: readonly Operation[]): Partition[] {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    const parent = parents.get(key);
    if (parent === undefined) parents.set(key, key);
    return parent === undefined || parent === key ? key : rootOf(parent);
  };
  for (const { action } of history) {
    const [first, ...others] = keysOf(action);
    if (first === undefined) continue;
    for (const other of others) parents.set(rootOf(other), rootOf(first));
    rootOf(first);
  }
  const keyless: Partition = { keys: [], operations: [] };
  const partitions = new Map<string, Partition>();
  for (const key of parents.keys()) {
    const root = rootOf(key);
    const partition = partitions.get(root);
    if (partition === undefined) partitions.set(root, { keys: [key], operations: [] });
    else partition.keys.push(key);
  }
  for (const operation of history.toSorted((a, b) => a.call - b.call)) {
    const [key] = keysOf(operation.action);
    if (key === undefined) keyless.operations.push(operation);
    else partitions.get(rootOf(key))!.operations.push(operation);
  }
  return [...partitions.values(), keyless].sort((a, b) =>
    b.operations.length - a.operations.length
  );
}

/** Puts together what is known of each operation. Reads with unknown results say nothing. */
export function subjectsOf(operations: readonly Operation[]): Subject[] {
  const read = readVersions(operations);
  return operations
    .filter(({ action, result }) => result !== undefined || changesOf(action).length > 0)
    .map((operation) => {
      const { action, result } = operation;
      if (result !== undefined && result.kind !== "done") {
        return { operation, version: undefined, isCertain: true };
      }
      const changes = changesOf(action);
      const seen = changes.filter(({ value }) => value !== undefined && read.has(value));
      const told = changes.findIndex(({ value }) =>
        value !== undefined && read.get(value) !== undefined
      );
      return {
        operation,
        version: result?.version ??
          (told === -1 ? undefined : read.get(changes[told]!.value!)! + changes.length - 1 - told),
        isCertain: result !== undefined || seen.length > 0,
      };
    });
}

/** The versions that values were read with. */
function readVersions(operations: readonly Operation[]): Map<string, number | undefined> {
  const versions = new Map<string, number | undefined>();
  for (const { result } of operations) {
    for (const { value, version } of valuesTold(result)) {
      if (value !== undefined) versions.set(value, versions.get(value) ?? version);
    }
  }
  return versions;
}

/** Throws if a value was written twice: then a read would not tell which write it saw. */
export function assertValuesAreUnique(history: readonly Operation[]): void {
  const written = new Set<string>();
  for (const { action } of history) {
    for (const { value } of changesOf(action)) {
      if (value === undefined) continue;
      if (written.has(value)) throw new Error(`The value ${value} is written twice in the history`);
      written.add(value);
    }
  }
}
