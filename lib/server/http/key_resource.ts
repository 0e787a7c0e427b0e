/** `GET HEAD PUT DELETE /v1/kv/{key}`: one value, raw bytes. */

import { KvError } from "../../errors.ts";
import type { Entry, SetOptions } from "../../mod.ts";
import {
  entityTag,
  matchHolds,
  noneMatchHolds,
  type Preconditions,
  preconditionsOf,
  type WriteCondition,
  writeIf,
} from "./preconditions.ts";
import { HttpError } from "./problem.ts";
import { readBody } from "./request_body.ts";
import { keyOf, queryOf } from "./request_target.ts";
import type { StoreApi } from "./store_api.ts";

/** Answers a request for a key. */
export function handleKey(
  store: StoreApi,
  request: Request,
  valueBytesMax: number,
): Promise<Response> {
  switch (request.method) {
    case "GET":
    case "HEAD":
      return read(store, request);
    case "PUT":
      return write(store, request, valueBytesMax);
    case "DELETE":
      return remove(store, request);
    default:
      throw new HttpError("MethodNotAllowed", "Use GET, HEAD, PUT or DELETE", {
        allow: "GET, HEAD, PUT, DELETE",
      });
  }
}

async function read(store: StoreApi, request: Request): Promise<Response> {
  const key = keyOf(request);
  queryOf(request, []);
  const preconditions = preconditionsOf(request.headers);
  const entry = await store.getEntry(key);
  if (!matchHolds(preconditions, entry?.version)) throw conditionFailed();
  if (entry === undefined) throw notFound(key);
  const headers = headersOf(entry);
  if (!noneMatchHolds(preconditions, entry.version)) {
    return new Response(null, { status: 304, headers });
  }
  headers["content-length"] = String(entry.value.length);
  const body = request.method === "HEAD" ? null : entry.value as Uint8Array<ArrayBuffer>;
  return new Response(body, { headers });
}

function headersOf({ version, expiresAt }: Entry): Record<string, string> {
  return {
    // Whatever is stored, no browser shall take it for a page or a script of this origin.
    "content-type": "application/octet-stream",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
    etag: entityTag(version),
    ...(expiresAt !== undefined && { expires: new Date(expiresAt).toUTCString() }),
  };
}

async function write(
  store: StoreApi,
  request: Request,
  valueBytesMax: number,
): Promise<Response> {
  const key = keyOf(request);
  const { ttl } = queryOf(request, ["ttl"]);
  const options: SetOptions = ttl === undefined ? {} : { ttl: parseTtl(ttl) };
  const preconditions = preconditionsOf(request.headers);
  const value = await readBody(request, valueBytesMax);
  const { created, version } = await put(store, key, value, options, preconditions);
  return new Response(null, {
    status: created ? 201 : 204,
    headers: { etag: entityTag(version) },
  });
}

async function put(
  store: StoreApi,
  key: string,
  value: Uint8Array,
  options: SetOptions,
  preconditions: Preconditions,
): Promise<{ created: boolean; version: number }> {
  return await writeIf(
    store,
    key,
    preconditions,
    (condition: WriteCondition) => store.set(key, value, { ...options, ...condition }),
  );
}

async function remove(store: StoreApi, request: Request): Promise<Response> {
  const key = keyOf(request);
  queryOf(request, []);
  const preconditions = preconditionsOf(request.headers);
  if (preconditions.noneMatch !== undefined) {
    throw new HttpError("InvalidArgument", "DELETE does not take If-None-Match: use If-Match");
  }
  await writeIf(store, key, preconditions, async ({ ifVersion }) => {
    try {
      await store.delete(key, ifVersion === undefined ? {} : { ifVersion });
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "NotFound") throw error;
      throw preconditions.match === undefined ? notFound(key) : conditionFailed();
    }
  });
  return new Response(null, { status: 204 });
}

function parseTtl(text: string): number {
  const millis = /^\d{1,12}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : 0;
  if (millis === 0) {
    throw new HttpError("InvalidArgument", "ttl is a positive number of seconds, as in ?ttl=90");
  }
  return millis;
}

function notFound(key: string): HttpError {
  return new HttpError("NotFound", `There is no key ${JSON.stringify(key.slice(0, 200))}`);
}

function conditionFailed(): HttpError {
  return new HttpError("ConditionFailed", "The key is not in the state that was asked for");
}
