/** The body of `POST /v1/batch`: its shape, and what it says to the store. */

import { Buffer } from "node:buffer";
import * as v from "valibot";
import { EXPIRES_AT_LIMIT, KEY_BYTES_LIMIT } from "../../limits.ts";
import type { BatchCheck, BatchOp } from "../../mod.ts";
import { HttpError, invalidArgument } from "./problem.ts";
import { ttlMillis, ttlSeconds } from "./ttl.ts";
import { integer, text, validate } from "./validation.ts";

/** Longest body. */
export const BATCH_BODY_BYTES_MAX = 16 << 20;
/** Most operations in a batch, and most checks. */
export const BATCH_LENGTH_MAX = 10_000;

const TOO_MANY = `an array of at most ${BATCH_LENGTH_MAX}`;

const key = v.pipe(
  text,
  v.minLength(1, "a key of at least one byte"),
  v.check(
    (input) => Buffer.byteLength(input) <= KEY_BYTES_LIMIT,
    `a key of at most ${KEY_BYTES_LIMIT} bytes`,
  ),
);

const operation = v.variant("op", [
  v.strictObject({
    op: v.literal("set"),
    key,
    value: v.pipe(text, v.description("The value as text, or with an encoding in that.")),
    encoding: v.optional(v.picklist(["base64"], '"base64", or left out')),
    ttl: v.optional(v.pipe(ttlSeconds, v.description("Time to live in seconds."))),
    expiresAt: v.optional(v.pipe(
      integer(1, EXPIRES_AT_LIMIT),
      v.description("Instead of ttl: until when, in milliseconds since the epoch."),
    )),
  }),
  v.strictObject({ op: v.literal("del"), key }),
], 'an object with "op", which is "set" or "del", and "key"');

const check = v.strictObject({
  key,
  version: v.pipe(
    v.nullable(integer(1, Number.MAX_SAFE_INTEGER)),
    v.description("The version that the key must have; null if it must not exist."),
  ),
}, 'an object with "key" and "version"');

/** The shape of the body. */
export const batchSchema = v.strictObject({
  ops: v.pipe(v.array(operation, TOO_MANY), v.maxLength(BATCH_LENGTH_MAX, TOO_MANY)),
  checks: v.optional(v.pipe(v.array(check, TOO_MANY), v.maxLength(BATCH_LENGTH_MAX, TOO_MANY))),
}, 'an object with "ops"');

/** Checks a parsed body, and puts it in the store's words. Errors name the field. */
export function parseBatch(
  body: unknown,
  valueBytesMax: number,
): { ops: BatchOp[]; checks: BatchCheck[] } {
  assertShort(body, "ops");
  assertShort(body, "checks");
  const { ops, checks = [] } = validate(batchSchema, body, "");
  assertDistinct("ops", ops);
  assertDistinct("checks", checks);
  return { ops: ops.map((op, index) => toBatchOp(op, `ops[${index}]`, valueBytesMax)), checks };
}

/** The schema says so too, but only when it has looked at every element. */
function assertShort(body: unknown, name: string): void {
  const list = (body as Record<string, unknown> | null)?.[name];
  if (!Array.isArray(list) || list.length <= BATCH_LENGTH_MAX) return;
  throw invalidArgument(name, `${name} has ${list.length} elements: it must be ${TOO_MANY}`);
}

function toBatchOp(
  op: v.InferOutput<typeof operation>,
  field: string,
  valueBytesMax: number,
): BatchOp {
  if (op.op === "del") return op;
  const value = op.encoding === undefined
    ? Buffer.from(op.value)
    : decodeBase64(op.value, `${field}.value`);
  if (value.length > valueBytesMax) {
    throw new HttpError(
      "ValueTooLarge",
      `${field}.value has ${value.length} bytes: a value may have at most ${valueBytesMax}`,
      {},
      { field: `${field}.value` },
    );
  }
  const set: BatchOp = { op: "set", key: op.key, value };
  if (op.ttl !== undefined && op.expiresAt !== undefined) {
    const path = `${field}.expiresAt`;
    throw invalidArgument(path, `${path} excludes ttl: give one of them`);
  }
  if (op.ttl !== undefined) set.ttl = ttlMillis(op.ttl);
  if (op.expiresAt !== undefined) set.expiresAt = op.expiresAt;
  return set;
}

function decodeBase64(encoded: string, field: string): Uint8Array {
  const bytes = Buffer.from(encoded, "base64");
  // Decoding skips what does not belong there; a value must not be guessed at.
  if (bytes.toString("base64") === encoded) return bytes;
  throw invalidArgument(field, `${field} is not base64 (with + and /, and padded with =)`);
}

/** Of two operations on one key, or two checks, one is a mistake. */
function assertDistinct(name: string, items: readonly { key: string }[]): void {
  const indexByKey = new Map<string, number>();
  items.forEach(({ key }, index) => {
    const before = indexByKey.get(key);
    if (before !== undefined) {
      const field = `${name}[${index}].key`;
      throw invalidArgument(field, `${field} is the same as ${name}[${before}].key`);
    }
    indexByKey.set(key, index);
  });
}
