/**
 * Writes that are made one after the other, and the contents that a store may have when they are
 * cut short: those after the first so many of them, with every acknowledged one among these.
 */

import assert from "node:assert/strict";
import { KvStore } from "../../lib/mod.ts";

/** A key with its new value, or none if it is deleted. */
export type Change = readonly [key: string, value: string | undefined];
/** Changes that take effect together. */
export type Step = readonly Change[];

/** What a store held, and what is then done to it. */
export interface Plan {
  start: Contents;
  steps: readonly Step[];
}

/** All that a store holds. */
export interface Contents {
  /** Version of the newest record. */
  version: number;
  /** By key: its version and value. Long values are shortened. */
  entries: ReadonlyMap<string, string>;
}

/** A store that holds nothing and never did. */
export const NOTHING: Contents = { version: 0, entries: new Map() };

/** Reads everything in the store in `directory`, changing nothing. */
export async function contentsOf(directory: string): Promise<Contents> {
  await using store = await KvStore.open(directory, { readOnly: true });
  const entries = new Map<string, string>();
  for await (const { key, value, version } of store.scan()) {
    entries.set(key, show(version, new TextDecoder().decode(value)));
  }
  assert.equal(entries.size, store.size);
  return { version: store.stats().version, entries };
}

/** The contents after the first `count` steps. */
export function contentsAfter({ start, steps }: Plan, count: number): Contents {
  const entries = new Map(start.entries);
  let { version } = start;
  for (const [key, value] of steps.slice(0, count).flat()) {
    version++;
    if (value === undefined) entries.delete(key);
    else entries.set(key, show(version, value));
  }
  return { version, entries };
}

/** Holds what was found against the plan, of which at least `acknowledged` steps must be there. */
export function assertFollows(found: Contents, plan: Plan, acknowledged: number): void {
  const counts = Array.from({ length: plan.steps.length + 1 }, (_, count) => count)
    .slice(acknowledged);
  if (counts.some((count) => isSame(found, contentsAfter(plan, count)))) return;
  const earlier = Array.from({ length: acknowledged }, (_, count) => count)
    .find((count) => isSame(found, contentsAfter(plan, count)));
  const problem = earlier === undefined
    ? "the store holds what it never held before"
    : `of ${acknowledged} acknowledged writes ${earlier} are left`;
  assert.fail(`${problem}: ${showContents(found)}`);
}

/** Expects the same contents, by the same writes. */
export function assertSame(found: Contents, expected: Contents): void {
  assert(isSame(found, expected), `${showContents(found)} is not ${showContents(expected)}`);
}

function isSame(left: Contents, right: Contents): boolean {
  return left.version === right.version && left.entries.size === right.entries.size &&
    [...left.entries].every(([key, entry]) => right.entries.get(key) === entry);
}

function show(version: number, value: string): string {
  const text = value.length <= 60
    ? value
    : `${value.slice(0, 20)}…${value.slice(-20)} (${value.length})`;
  return `${version}: ${text}`;
}

function showContents({ version, entries }: Contents): string {
  return `[${version}] ${[...entries].map(([key, entry]) => `${key} ${entry}`).join(", ")}`;
}
