/** Validation of what writes are given beside key and value. */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { BATCH_OPS_LIMIT, EXPIRES_AT_LIMIT } from "../limits.ts";
import { assertKnownOptions, assertOptionsObject, showValue } from "./options.ts";
import type { BatchCheck, BatchOp, BatchOptions, DeleteOptions, SetOptions } from "./types.ts";

/** Conditions of a write; `ifVersion` null means any. */
export interface Conditions {
  ifAbsent: boolean;
  ifVersion: number | null;
}

/** A write that always happens. */
export const NO_CONDITIONS: Conditions = { ifAbsent: false, ifVersion: null };

/** Checks the options of a set and returns its conditions. */
export function checkSetOptions(options: SetOptions): Conditions {
  assertOptionsObject(options);
  assertKnownOptions(options, ["ttl", "expiresAt", "ifAbsent", "ifVersion"]);
  const { ifAbsent = false, ifVersion } = options;
  if (typeof ifAbsent !== "boolean") {
    throw invalid("ifAbsent", ifAbsent, "true or false");
  }
  if (ifVersion !== undefined) assertVersion("ifVersion", ifVersion);
  if (!ifAbsent && ifVersion === undefined) return NO_CONDITIONS;
  if (ifAbsent && ifVersion !== undefined) {
    throw new KvError(
      "InvalidArgument",
      "Options ifAbsent and ifVersion exclude each other: give one of them",
    );
  }
  return { ifAbsent, ifVersion: ifVersion ?? null };
}

/** Checks the options of a delete and returns its conditions. */
export function checkDeleteOptions(options: DeleteOptions): Conditions {
  assertOptionsObject(options);
  assertKnownOptions(options, ["ifVersion"]);
  const { ifVersion } = options;
  if (ifVersion === undefined) return NO_CONDITIONS;
  assertVersion("ifVersion", ifVersion);
  return { ifAbsent: false, ifVersion };
}

/** When a value expires, in milliseconds since the epoch; 0 if it does not. */
export function expiryOf(
  { ttl, expiresAt }: { ttl?: number; expiresAt?: number },
  clock: Clock,
): number {
  if (ttl === undefined && expiresAt === undefined) return 0;
  if (ttl !== undefined && expiresAt !== undefined) {
    throw new KvError(
      "InvalidArgument",
      "Options ttl and expiresAt exclude each other: give one of them",
    );
  }
  if (ttl === undefined) {
    if (!isIntegerWithin(expiresAt, 1, EXPIRES_AT_LIMIT)) {
      throw invalid(
        "expiresAt",
        expiresAt,
        `a time in milliseconds since the epoch: an integer from 1 to ${EXPIRES_AT_LIMIT}`,
      );
    }
    return expiresAt;
  }
  const ttlMax = EXPIRES_AT_LIMIT - clock.now();
  if (!isIntegerWithin(ttl, 1, ttlMax)) {
    throw invalid("ttl", ttl, `a number of milliseconds: an integer from 1 to ${ttlMax}`);
  }
  return clock.now() + ttl;
}

/** Checks the arguments of a batch; returns its checks, and the expiry of each operation. */
export function checkBatch(
  ops: BatchOp[],
  options: BatchOptions,
  clock: Clock,
): { checks: BatchCheck[]; expiries: Float64Array } {
  assertOptionsObject(options);
  assertKnownOptions(options, ["checks"]);
  const { checks = [] } = options;
  if (!Array.isArray(ops)) throw invalid("ops", ops, "an array of operations");
  if (!Array.isArray(checks)) throw invalid("checks", checks, "an array of checks");
  if (ops.length > BATCH_OPS_LIMIT || checks.length > BATCH_OPS_LIMIT) {
    throw new KvError(
      "InvalidArgument",
      `Batch has ${ops.length} operations and ${checks.length} checks: at most ` +
        `${BATCH_OPS_LIMIT} of each are allowed, split it`,
    );
  }
  const expiries = new Float64Array(ops.length);
  ops.forEach((op, index) => expiries[index] = checkOp(op, index, clock));
  checks.forEach((check, index) => assertCheck(check, index));
  return { checks, expiries };
}

function checkOp(op: BatchOp, index: number, clock: Clock): number {
  if (typeof op !== "object" || op === null) {
    throw invalid(`ops[${index}]`, op, 'an object { op: "set" | "del", key, … }');
  }
  if (op.op === "set") {
    assertKnownOptions(op, ["op", "key", "value", "ttl", "expiresAt"]);
    return expiryOf(op, clock);
  }
  if (op.op === "del") {
    assertKnownOptions(op, ["op", "key"]);
    return 0;
  }
  throw invalid(`ops[${index}].op`, (op as { op: unknown }).op, '"set" or "del"');
}

function assertCheck(check: BatchCheck, index: number): void {
  if (typeof check !== "object" || check === null) {
    throw invalid(`checks[${index}]`, check, "an object { key, version }");
  }
  assertKnownOptions(check, ["key", "version"]);
  if (check.version !== null) assertVersion(`checks[${index}].version`, check.version);
}

function assertVersion(name: string, version: unknown): void {
  if (!isIntegerWithin(version, 1, Number.MAX_SAFE_INTEGER)) {
    throw invalid(name, version, "a version as returned by a write: an integer of 1 or more");
  }
}

function isIntegerWithin(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

function invalid(name: string, value: unknown, range: string): KvError {
  return new KvError(
    "InvalidArgument",
    `Option ${name} is ${showValue(value)}: it must be ${range}`,
  );
}
