/** Conditions of a write, held against what the store has of the key. */

import { KvError } from "../errors.ts";
import { showKey } from "../format/key.ts";
import type { KeyInput } from "./types.ts";
import type { Conditions } from "./write_options.ts";

/** Throws `ConditionFailed` unless a key whose version is `version`, 0 if it has none, fulfils them. */
export function assertConditions(
  key: KeyInput,
  { ifAbsent, ifVersion }: Conditions,
  version: number,
): void {
  if (ifAbsent && version !== 0) {
    throw new KvError(
      "ConditionFailed",
      `Key ${showKey(key)} exists already, with version ${version}: nothing was written`,
    );
  }
  if (ifVersion !== null && version !== ifVersion) {
    const found = version === 0 ? "does not exist" : `has version ${version}`;
    throw new KvError(
      "ConditionFailed",
      `Key ${showKey(key)} ${found}, not version ${ifVersion}: nothing was written`,
    );
  }
}

/** Whether a write was refused because of what the store holds, rather than for what was asked. */
export function isAboutState(error: unknown): boolean {
  return error instanceof KvError &&
    (error.code === "ConditionFailed" || error.code === "NotFound");
}
