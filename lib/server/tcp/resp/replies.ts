/** Replies that many commands give. */

import type { Reply } from "./reply.ts";

/** "Done". */
export const OK: Reply = (out) => out.simple("OK");
/** What a command in a transaction is answered with until `EXEC`. */
export const QUEUED: Reply = (out) => out.simple("QUEUED");
/** There is no such value. */
export const NULL_BULK: Reply = (out) => out.nullBulk();
/** There is no such list. */
export const NULL_ARRAY: Reply = (out) => out.nullArray();
/** An array of nothing. */
export const EMPTY_ARRAY: Reply = (out) => out.array(0);
/** "No", or none. */
export const ZERO: Reply = (out) => out.integer(0);
/** "Yes", or one. */
export const ONE: Reply = (out) => out.integer(1);

/** An integer. */
export function integer(value: number | bigint): Reply {
  return (out) => out.integer(value);
}

/** A value, or that there is none. The bytes must not change any more. */
export function bulk(value: Uint8Array | string | undefined): Reply {
  return value === undefined ? NULL_BULK : (out) => out.bulk(value);
}

/** An array of strings. */
export function bulkArray(values: readonly (Uint8Array | string)[]): Reply {
  return (out) => {
    out.array(values.length);
    for (const value of values) out.bulk(value);
  };
}

/** An error. */
export function error(text: string): Reply {
  return (out) => out.error(text);
}
