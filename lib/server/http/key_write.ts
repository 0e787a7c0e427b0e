/** `PUT` and `DELETE` of a key. */

import { KvError } from "../../errors.ts";
import type { SetOptions } from "../../mod.ts";
import { writeDirectly } from "./key_direct.ts";
import { writtenResponse } from "./key_headers.ts";
import { conditionFailed, keyMissing } from "./key_problems.ts";
import { ALWAYS, preconditionsOf, writeIf } from "./preconditions.ts";
import { invalidArgument } from "./problem.ts";
import { readBody, refuseEncodedBody } from "./request_body.ts";
import { keyOf, queryOf } from "./request_target.ts";
import type { Service } from "./route.ts";
import type { StoreApi } from "./store_api.ts";
import { parseTtl } from "./ttl.ts";

/** Answers PUT. */
export function writeKey(service: Service, request: Request): Promise<Response> {
  const { store, access, valueBytesMax } = service;
  const direct = access === undefined ? undefined : writeDirectly(
    access,
    request,
    valueBytesMax,
    (value) => write(store, keyOf(request), value),
  );
  return direct ?? writeAny(service, request);
}

async function writeAny({ store, valueBytesMax }: Service, request: Request): Promise<Response> {
  const key = keyOf(request);
  const { ttl } = queryOf(request, ["ttl"]);
  const options: SetOptions | undefined = ttl === undefined ? undefined : { ttl: parseTtl(ttl) };
  const { headers } = request;
  if (headers.has("content-range")) {
    throw invalidArgument("Content-Range", "PUT replaces the whole value: send all of it");
  }
  refuseEncodedBody(request);
  const preconditions = preconditionsOf(headers);
  const value = await readBody(request, valueBytesMax);
  return await writeIf(
    store,
    key,
    preconditions,
    (condition) =>
      write(store, key, value, condition === ALWAYS ? options : { ...options, ...condition }),
  );
}

async function write(
  store: StoreApi,
  key: string,
  value: Uint8Array,
  options?: SetOptions,
): Promise<Response> {
  const { version, created } = await store.set(key, value, options);
  return writtenResponse(version, created);
}

/** Answers DELETE. */
export async function removeKey({ store }: Service, request: Request): Promise<Response> {
  const key = keyOf(request);
  queryOf(request, []);
  const preconditions = preconditionsOf(request.headers);
  if (preconditions.noneMatch !== undefined) {
    throw invalidArgument("If-None-Match", "DELETE does not take If-None-Match: use If-Match");
  }
  const { version } = await writeIf(store, key, preconditions, async ({ ifVersion }) => {
    try {
      return await store.delete(key, ifVersion === undefined ? {} : { ifVersion });
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "NotFound") throw error;
      throw preconditions.match === undefined ? keyMissing(key) : conditionFailed();
    }
  });
  // No ETag: that would be of a value, and there is none any more.
  return new Response(null, { status: 204, headers: { "cairn-version": String(version) } });
}
