/** `GET HEAD PUT DELETE /v1/kv/{key}` */

import * as v from "valibot";
import { describeKey, readKey } from "../key_read.ts";
import { removeKey, writeKey } from "../key_write.ts";
import type { Parameter, ResponseDefinition, Route } from "../route.ts";
import { ttlSeconds } from "../ttl.ts";

const PATH = "/v1/kv/{key}";
const VALUE = "application/octet-stream";

const ETAG = "the version of the key, in quotes";
const STATE_HEADERS = {
  etag: ETAG,
  expires: "when the key expires, in whole seconds; only if it does",
  "cairn-expires-at": "the same in milliseconds since the epoch",
};
const VALUE_HEADERS = { ...STATE_HEADERS, "accept-ranges": "bytes" };

function header(description: string, example: string): Parameter {
  return { schema: v.pipe(v.string(), v.examples([example])), description };
}

const ifMatch = header("Only if the key has one of these versions; * for any.", '"42"');
const readHeaders = {
  "If-Match": ifMatch,
  "If-None-Match": header("304 if the key still has one of these versions.", '"42"'),
};
const notModified: ResponseDefinition = {
  description: "The key still has the version that If-None-Match names.",
  headers: STATE_HEADERS,
};
const BAD_REQUEST = "The key, a query parameter or a header is wrong.";
const NO_KEY = "There is no such key.";
const CONDITION = "The precondition does not hold; nothing was written.";

/** One value, raw bytes. */
export const keyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: PATH,
    operationId: "getValue",
    summary: "Read a value",
    description:
      "The body is the value, byte for byte. Of several ranges in one request, or one in " +
      "another unit than bytes, no notice is taken.",
    tag: "keys",
    headers: {
      ...readHeaders,
      Range: header("One range of bytes.", "bytes=0-99"),
      "If-Range": header("Heed Range only if the key has this version.", '"42"'),
    },
    responses: {
      200: { description: "The value.", content: [{ type: VALUE }], headers: VALUE_HEADERS },
      206: {
        description: "The range that was asked for.",
        content: [{ type: VALUE }],
        headers: { ...VALUE_HEADERS, "content-range": "which bytes these are, of how many" },
      },
      304: notModified,
    },
    problems: {
      400: BAD_REQUEST,
      404: NO_KEY,
      412: "The key has another version than those of If-Match.",
      416: "The value has no byte in the range; Content-Range tells its length.",
    },
    handle: readKey,
  },
  {
    method: "HEAD",
    path: PATH,
    operationId: "describeValue",
    summary: "Ask for version, length and expiry",
    description: "What GET answers without the value, which is not read.",
    tag: "keys",
    headers: readHeaders,
    responses: {
      200: {
        description: "The key exists.",
        headers: { ...VALUE_HEADERS, "content-length": "length of the value in bytes" },
      },
      304: notModified,
    },
    problems: {
      400: BAD_REQUEST,
      404: NO_KEY,
      412: "The key has another version than those of If-Match.",
    },
    handle: describeKey,
  },
  {
    method: "PUT",
    path: PATH,
    operationId: "putValue",
    summary: "Write a value",
    description:
      "The body is the value, byte for byte, whatever its Content-Type. Answered when the " +
      "write is durable, or with batch durability when it is accepted.",
    tag: "keys",
    query: {
      ttl: {
        schema: ttlSeconds,
        description: "Time to live in seconds, with up to three decimals; then the key is gone.",
      },
    },
    headers: {
      "If-Match": ifMatch,
      "If-None-Match": header("With *, only if the key does not exist.", "*"),
    },
    body: { type: VALUE, description: "The value; nothing is an empty one.", required: false },
    responses: {
      201: { description: "The key is new.", headers: { etag: ETAG } },
      204: { description: "The key had another value.", headers: { etag: ETAG } },
    },
    problems: {
      400: BAD_REQUEST,
      412: CONDITION,
      413: "The value is longer than the store accepts.",
      415: "There is a Content-Encoding.",
      507: "The disk is full.",
    },
    handle: writeKey,
  },
  {
    method: "DELETE",
    path: PATH,
    operationId: "deleteValue",
    summary: "Delete a key",
    tag: "keys",
    headers: { "If-Match": ifMatch },
    responses: {
      204: {
        description: "The key is deleted.",
        headers: { "cairn-version": "the version of the delete, as change feeds have it" },
      },
    },
    problems: {
      400: BAD_REQUEST,
      404: NO_KEY,
      412: CONDITION,
      507: "The disk is full.",
    },
    handle: removeKey,
  },
];
