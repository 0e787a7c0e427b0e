/** `If-Match` and `If-None-Match` (RFC 9110, section 13): versions are the entity tags. */

import { KvError } from "../../errors.ts";
import type { DeleteOptions, SetOptions } from "../../mod.ts";
import { conditionFailed } from "./key_problems.ts";
import { invalidArgument } from "./problem.ts";
import type { StoreApi } from "./store_api.ts";

type Tags = "*" | { strong: string[]; all: string[] };

/** What a request demands of the key's present state. */
export interface Preconditions {
  match?: Tags;
  noneMatch?: Tags;
}

/** A condition that the store checks in the same step as it writes. */
export type WriteCondition = Pick<SetOptions & DeleteOptions, "ifAbsent" | "ifVersion">;

/** The condition of a write that nothing is demanded of. */
export const ALWAYS: WriteCondition = {};

/** Elements of a list may be empty, but not all of them. */
const ENTITY_TAG_LIST =
  /^\s*(?:,\s*)*(?:W\/)?"[^"]*"(?:\s*,\s*(?:,\s*)*(?:W\/)?"[^"]*")*\s*(?:,\s*)*$/;

/** The entity tag of a version. */
export function entityTag(version: number): string {
  return `"${version}"`;
}

/** Of a request that demands nothing. */
export const NO_PRECONDITIONS: Preconditions = {};

/** Reads the headers; {@link NO_PRECONDITIONS} if there are none. */
export function preconditionsOf(headers: Headers): Preconditions {
  const match = headers.get("if-match");
  const noneMatch = headers.get("if-none-match");
  if (match === null && noneMatch === null) return NO_PRECONDITIONS;
  return {
    ...(match !== null && { match: parseTags("If-Match", match) }),
    ...(noneMatch !== null && { noneMatch: parseTags("If-None-Match", noneMatch) }),
  };
}

/** Whether `If-Match` allows the request; `version` is undefined if the key does not exist. */
export function matchHolds({ match }: Preconditions, version: number | undefined): boolean {
  if (match === undefined) return true;
  return version !== undefined && (match === "*" || match.strong.includes(entityTag(version)));
}

/** Whether `If-None-Match` allows the request. */
export function noneMatchHolds({ noneMatch }: Preconditions, version: number | undefined): boolean {
  if (noneMatch === undefined || version === undefined) return true;
  return noneMatch !== "*" && !noneMatch.all.includes(entityTag(version));
}

/**
 * Writes if the preconditions hold, with nothing able to come between the check and the write.
 * Returns what `write` returned.
 */
export function writeIf<Result>(
  store: StoreApi,
  key: string,
  preconditions: Preconditions,
  write: (condition: WriteCondition) => Promise<Result>,
): Promise<Result> {
  const simple = simpleCondition(preconditions);
  if (simple === undefined) return lookAndWrite(store, key, preconditions, write);
  return simple === ALWAYS ? write(simple) : write(simple).catch((error) => {
    if (!isConditionFailed(error)) throw error;
    const field = preconditions.match === undefined ? "If-None-Match" : "If-Match";
    throw conditionFailed(field, error.message);
  });
}

function isConditionFailed(error: unknown): error is KvError {
  return error instanceof KvError && error.code === "ConditionFailed";
}

async function lookAndWrite<Result>(
  store: StoreApi,
  key: string,
  preconditions: Preconditions,
  write: (condition: WriteCondition) => Promise<Result>,
): Promise<Result> {
  while (true) {
    const version = store.stat(key)?.version;
    if (!matchHolds(preconditions, version)) throw conditionFailed("If-Match");
    if (!noneMatchHolds(preconditions, version)) throw conditionFailed("If-None-Match");
    try {
      return await write(version === undefined ? { ifAbsent: true } : { ifVersion: version });
    } catch (error) {
      // Another write came first. It is visible by now: the store refuses only then.
      if (!isConditionFailed(error)) throw error;
    }
  }
}

/** What the store can check by itself, without a look beforehand. */
function simpleCondition({ match, noneMatch }: Preconditions): WriteCondition | undefined {
  if (match === undefined) {
    if (noneMatch === undefined) return ALWAYS;
    return noneMatch === "*" ? { ifAbsent: true } : undefined;
  }
  if (noneMatch !== undefined || match === "*" || match.all.length !== 1) return undefined;
  const version = Number(/^"([1-9]\d*)"$/.exec(match.strong[0] ?? "")?.[1]);
  // No key has any other.
  return Number.isSafeInteger(version) ? { ifVersion: version } : undefined;
}

function parseTags(header: string, value: string): Tags {
  if (value.trim() === "*") return "*";
  if (!ENTITY_TAG_LIST.test(value)) {
    throw invalidArgument(header, `${header} takes * or versions in quotes, as in "42"`);
  }
  const tags = value.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return {
    strong: tags.filter((tag) => !tag.startsWith("W/")),
    all: tags.map((tag) => tag.replace(/^W\//, "")),
  };
}
