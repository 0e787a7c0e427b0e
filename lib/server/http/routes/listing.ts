/** `GET /v1/kv` */

import * as v from "valibot";
import { Buffer } from "node:buffer";
import type { Listing } from "../listing.ts";
import { listPage, PAGE_ENTRIES_MAX } from "../listing_page.ts";
import { streamListing } from "../listing_stream.ts";
import { prefers } from "../media_type.ts";
import { ResponseMemory } from "../response_memory.ts";
import type { QueryDefinition, Route, Service } from "../route.ts";
import { flag, integer, isOn, readQuery } from "../validation.ts";

const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";
const LIMIT_DEFAULT = 100;

const QUERY = {
  prefix: { schema: v.string(), description: "Only keys that begin with this." },
  start: { schema: v.string(), description: "From this key on." },
  end: { schema: v.string(), description: "Up to this key, without it." },
  limit: {
    schema: integer(1, Number.MAX_SAFE_INTEGER),
    description: `At most so many entries: in a page ${LIMIT_DEFAULT} by default and never more ` +
      `than ${PAGE_ENTRIES_MAX}, in a stream all of them.`,
  },
  cursor: {
    schema: v.string(),
    description: "Go on behind the page that this cursor came with, in the same listing.",
  },
  reverse: { schema: flag, description: "From the last key to the first." },
  values: { schema: flag, description: "With values." },
} satisfies QueryDefinition;

/** An entry of a listing. */
const entrySchema = v.strictObject({
  key: v.string(),
  version: integer(1, Number.MAX_SAFE_INTEGER),
  size: v.pipe(integer(0, Number.MAX_SAFE_INTEGER), v.description("Length of the value in bytes.")),
  expiresAt: v.optional(
    v.pipe(
      integer(1, Number.MAX_SAFE_INTEGER),
      v.description("When it expires, in milliseconds since the epoch; only if it does."),
    ),
  ),
  value: v.optional(
    v.pipe(
      v.string(),
      v.description("With values=1: as text if it is valid UTF-8. Left out if over 64 MiB."),
    ),
  ),
  encoding: v.optional(
    v.pipe(v.literal("base64"), v.description("Given if the value is not text but in base64.")),
  ),
});

const pageSchema = v.strictObject({
  entries: v.array(entrySchema),
  cursor: v.pipe(
    v.nullable(v.string()),
    v.description("For the next page; null after the last."),
  ),
  complete: v.pipe(v.boolean(), v.description("Whether this page is the last.")),
});

/** Keys in order. */
export const listingRoutes: readonly Route[] = [{
  method: "GET",
  path: "/v1/kv",
  operationId: "listKeys",
  summary: "List keys in byte order",
  description: "A page at a time, or with Accept: application/x-ndjson all at once, one entry a " +
    "line. A page may have fewer entries than its limit, since it ends at 4 MiB too: go on until it " +
    "is complete. Keys that exist throughout are listed exactly once; those that come or go " +
    "meanwhile may be or not. A stream that breaks off without its end did not list everything.",
  tag: "keys",
  query: QUERY,
  responses: {
    200: {
      description: "Entries.",
      content: [
        {
          type: JSON_TYPE,
          schema: pageSchema,
          example: {
            entries: [{ key: "greeting", version: 42, size: 5, value: "hello" }],
            cursor: null,
            complete: true,
          },
        },
        {
          type: NDJSON_TYPE,
          schema: entrySchema,
          example: { key: "greeting", version: 42, size: 5, value: "hello" },
        },
      ],
    },
  },
  problems: { 400: "A query parameter is wrong; `field` names it." },
  handle: listKeys,
}];

async function listKeys({ store, logger }: Service, request: Request): Promise<Response> {
  const { prefix, start, end, limit, cursor, reverse, values } = readQuery(request, QUERY);
  const listing: Listing = {
    bounds: { prefix, start, end, reverse: isOn(reverse) },
    cursor,
    values: isOn(values),
  };
  const headers = { "cache-control": "no-store", vary: "accept" };
  if (prefers(request.headers.get("accept"), NDJSON_TYPE, JSON_TYPE)) {
    const stream = await streamListing(store, listing, limit ?? Infinity, logger);
    return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>, {
      headers: { ...headers, "content-type": NDJSON_TYPE },
    });
  }
  const memory = new ResponseMemory();
  try {
    const page = await listPage(store, listing, limit ?? LIMIT_DEFAULT, memory);
    const contentLength = String(Buffer.byteLength(page));
    const response = new Response(page, {
      headers: { ...headers, "content-type": JSON_TYPE, "content-length": contentLength },
    });
    return memory.leaveTo(response);
  } catch (error) {
    memory.release();
    throw error;
  }
}
