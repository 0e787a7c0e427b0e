/**
 * Path and query as they arrived. A key is whatever follows `/v1/kv/`, percent-decoded once: so
 * nothing may decode or tidy the path before, which is what routers like to do.
 */

import { HttpError, invalidArgument } from "./problem.ts";

/** Before a key. */
export const KEY_ROUTE = "/v1/kv/";

/** The path of a request, still percent-encoded. */
export function rawPath({ url }: Request): string {
  return url.slice(pathStart(url), pathEnd(url));
}

/** Whether a request is about one key. */
export function isKeyRequest({ url }: Request): boolean {
  return url.startsWith(KEY_ROUTE, pathStart(url));
}

/** The key that a request names. */
export function keyOf({ url }: Request): string {
  const start = pathStart(url);
  if (!url.startsWith(KEY_ROUTE, start)) {
    throw new HttpError("NoSuchRoute", "There is no such resource");
  }
  const encoded = url.slice(start + KEY_ROUTE.length, pathEnd(url));
  if (encoded === "") throw invalidKey("The key is missing: use /v1/kv/{key}");
  try {
    return encoded.includes("%") ? decodeURIComponent(encoded) : encoded;
  } catch {
    throw invalidKey(
      "The key is not percent-encoded UTF-8: encode it with encodeURIComponent or its like",
    );
  }
}

function invalidKey(detail: string): HttpError {
  return new HttpError("InvalidKey", detail, {}, { field: "key" });
}

/** The query's parameters, decoded; refuses any but those in `known`, and repetitions. */
export function queryOf<Name extends string>(
  { url }: Request,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  const end = pathEnd(url);
  if (url[end] !== "?") return NO_QUERY;
  const fragment = url.indexOf("#", end);
  const query: Partial<Record<Name, string>> = {};
  for (const pair of url.slice(end + 1, fragment === -1 ? url.length : fragment).split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodeQuery(equals === -1 ? pair : pair.slice(0, equals)) as Name;
    if (!known.includes(name)) {
      const those = known.length === 0 ? "there are none here" : `known here: ${known.join(", ")}`;
      const shown = JSON.stringify(name.slice(0, 100));
      throw invalidArgument(name, `Unknown query parameter ${shown}: ${those}`);
    }
    if (Object.hasOwn(query, name)) {
      throw invalidArgument(name, `The query parameter ${name} is given twice`);
    }
    query[name] = equals === -1 ? "" : decodeQuery(pair.slice(equals + 1), name);
  }
  return query;
}

const NO_QUERY = {};

/** As browsers and curl encode forms: a plus sign is a space. */
function decodeQuery(text: string, field?: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    const which = field === undefined ? "A query parameter" : `The query parameter ${field}`;
    throw invalidArgument(field, `${which} is not percent-encoded UTF-8`);
  }
}

/** `http://host:port/path` as a rule; but `/path` alone where the Host header was of no use. */
export function pathStart(url: string): number {
  if (url.startsWith("/")) return 0;
  const start = url.indexOf("/", url.indexOf("://") + 3);
  return start === -1 ? url.length : start;
}

function pathEnd(url: string): number {
  const query = url.indexOf("?");
  const end = query === -1 ? url.length : query;
  const fragment = url.indexOf("#");
  return fragment === -1 || fragment > end ? end : fragment;
}
