/** `GET` and `HEAD` of a key: the value as it is, whole or a range of it. */

import type { Entry, KeyInfo } from "../../mod.ts";
import { parseRange } from "./byte_range.ts";
import { conditionFailed, keyMissing } from "./key_problems.ts";
import {
  entityTag,
  matchHolds,
  NO_PRECONDITIONS,
  noneMatchHolds,
  preconditionsOf,
} from "./preconditions.ts";
import { HttpError } from "./problem.ts";
import { keyOf, queryOf } from "./request_target.ts";
import type { Service } from "./route.ts";
import type { StoreApi } from "./store_api.ts";

/** The last second that a date in a header can name. */
const HTTP_DATE_MAX = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Answers GET. */
export async function readKey({ store }: Service, request: Request): Promise<Response> {
  const key = keyOf(request);
  queryOf(request, []);
  const { headers } = request;
  const refused = refusedByPreconditions(store, key, headers);
  if (refused !== undefined) return refused;
  const entry = await store.getEntry(key);
  if (entry === undefined) throw keyMissing(key);
  const range = headers.get("range");
  return range === null ? whole(entry) : partial(entry, range, headers.get("if-range"));
}

/** Answers HEAD, from the index alone. */
export function describeKey({ store }: Service, request: Request): Response {
  const key = keyOf(request);
  queryOf(request, []);
  const refused = refusedByPreconditions(store, key, request.headers);
  if (refused !== undefined) return refused;
  const info = store.stat(key);
  if (info === undefined) throw keyMissing(key);
  const headers = headersOf(info);
  headers["content-length"] = String(info.size);
  return new Response(null, { headers });
}

/** A response if the preconditions allow no other. Throws if the key is not as it must be. */
function refusedByPreconditions(
  store: StoreApi,
  key: string,
  headers: Headers,
): Response | undefined {
  const preconditions = preconditionsOf(headers);
  if (preconditions === NO_PRECONDITIONS) return undefined;
  const info = store.stat(key);
  if (!matchHolds(preconditions, info?.version)) throw conditionFailed();
  if (info === undefined || noneMatchHolds(preconditions, info.version)) return undefined;
  return new Response(null, { status: 304, headers: headersOf(info) });
}

function whole(entry: Entry): Response {
  const headers = headersOf(entry);
  headers["content-length"] = String(entry.value.length);
  return new Response(entry.value as Uint8Array<ArrayBuffer>, { headers });
}

function partial(entry: Entry, header: string, ifRange: string | null): Response {
  const { value, version } = entry;
  // A version that is not the one the client has parts of: it needs all of this one.
  if (ifRange !== null && ifRange.trim() !== entityTag(version)) return whole(entry);
  const range = parseRange(header, value.length);
  if (range === undefined) return whole(entry);
  if (range === "none") {
    throw new HttpError(
      "RangeNotSatisfiable",
      `The value has ${value.length} bytes, and none of them is in the range asked for`,
      { "content-range": `bytes */${value.length}` },
      { field: "Range" },
    );
  }
  const { first, last } = range;
  const part = value.subarray(first, last + 1) as Uint8Array<ArrayBuffer>;
  const headers = headersOf(entry);
  headers["content-length"] = String(part.length);
  headers["content-range"] = `bytes ${first}-${last}/${value.length}`;
  return new Response(part, { status: 206, headers });
}

function headersOf({ version, expiresAt }: Entry | KeyInfo): Record<string, string> {
  const headers: Record<string, string> = {
    // Whatever is stored, no browser shall take it for a page or a script of this origin.
    "content-type": "application/octet-stream",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
    "accept-ranges": "bytes",
    etag: entityTag(version),
  };
  if (expiresAt !== undefined) {
    // A date has whole seconds, and this one leaves out the rest: no cache keeps it too long.
    headers["expires"] = new Date(Math.min(expiresAt, HTTP_DATE_MAX)).toUTCString();
    headers["cairn-expires-at"] = String(expiresAt);
  }
  return headers;
}
