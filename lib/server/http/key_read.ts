/** `GET` and `HEAD` of a key: the value as it is, whole or a range of it. */

import type { Entry, KeyInfo } from "../../mod.ts";
import { parseRange } from "./byte_range.ts";
import { readDirectly } from "./key_direct.ts";
import { valueHeaders } from "./key_headers.ts";
import { conditionFailed, keyMissing } from "./key_problems.ts";
import {
  entityTag,
  matchHolds,
  NO_PRECONDITIONS,
  noneMatchHolds,
  type Preconditions,
  preconditionsOf,
} from "./preconditions.ts";
import { HttpError } from "./problem.ts";
import { keyOf, queryOf } from "./request_target.ts";
import { heldRead } from "./response_memory.ts";
import type { Service } from "./route.ts";

/** Longer values are read on another thread. */
const SHORT_VALUES = { valueBytesMax: 32 * 1024 };
/** Answers GET; without a promise where the value is short, which most are. */
export function readKey(service: Service, request: Request): Response | Promise<Response> {
  const { store, access } = service;
  const response = access === undefined ? undefined : readDirectly(access, request);
  if (response !== undefined) return response;
  const key = keyOf(request);
  queryOf(request, []);
  const { headers } = request;
  const preconditions = preconditionsOf(headers);
  if (preconditions !== NO_PRECONDITIONS) {
    const refused = refusedBy(preconditions, store.stat(key));
    if (refused !== undefined) return refused;
  }
  const entry = store.getEntrySync(key, SHORT_VALUES);
  if (entry?.size === undefined) return answer(key, entry, headers);
  return heldRead(request, entry.size, async () => answer(key, await store.getEntry(key), headers));
}

/** Answers HEAD, from the index alone. */
export function describeKey({ store }: Service, request: Request): Response {
  const key = keyOf(request);
  queryOf(request, []);
  const info = store.stat(key);
  const refused = refusedBy(preconditionsOf(request.headers), info);
  if (refused !== undefined) return refused;
  if (info === undefined) throw keyMissing(key);
  return new Response(null, { headers: headersOf(info, info.size) });
}

/** A response if the preconditions allow no other. Throws if the key is not as it must be. */
function refusedBy(
  preconditions: Preconditions,
  info: KeyInfo | undefined,
): Response | undefined {
  if (preconditions === NO_PRECONDITIONS) return undefined;
  if (!matchHolds(preconditions, info?.version)) throw conditionFailed();
  if (info === undefined || noneMatchHolds(preconditions, info.version)) return undefined;
  return new Response(null, { status: 304, headers: headersOf(info) });
}

function answer(key: string, entry: Entry | undefined, headers: Headers): Response {
  if (entry === undefined) throw keyMissing(key);
  const range = headers.get("range");
  return range === null ? whole(entry) : partial(entry, range, headers.get("if-range"));
}

function whole(entry: Entry): Response {
  const body = entry.value as Uint8Array<ArrayBuffer>;
  return new Response(body, { headers: headersOf(entry, body.length) });
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
  const response = new Response(part, { status: 206, headers: headersOf(entry, part.length) });
  response.headers.set("content-range", `bytes ${first}-${last}/${value.length}`);
  return response;
}

function headersOf({ version, expiresAt = 0 }: Entry | KeyInfo, byteLength?: number): Headers {
  return valueHeaders(version, expiresAt, byteLength);
}
