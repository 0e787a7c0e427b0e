/**
 * Path and query as they arrived. A key is whatever follows `/v1/kv/`, percent-decoded once: so
 * nothing may decode or tidy the path before, which is what routers like to do.
 */

import { HttpError } from "./problem.ts";

/** Before a key. */
export const KEY_ROUTE = "/v1/kv/";

/** The path of a request, still percent-encoded. */
export function rawPath({ url }: Request): string {
  return url.slice(pathStart(url), pathEnd(url));
}

/** The key that a request names. */
export function keyOf(request: Request): string {
  const path = rawPath(request);
  if (!path.startsWith(KEY_ROUTE)) throw new HttpError("NoSuchRoute", "There is no such resource");
  const encoded = path.slice(KEY_ROUTE.length);
  if (encoded === "") throw new HttpError("InvalidKey", "The key is missing: use /v1/kv/{key}");
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new HttpError(
      "InvalidKey",
      "The key is not percent-encoded UTF-8: encode it with encodeURIComponent or its like",
    );
  }
}

/** The query's parameters; refuses any but those in `known`, and repetitions. */
export function queryOf<Name extends string>(
  { url }: Request,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  const end = pathEnd(url);
  const query: Partial<Record<Name, string>> = {};
  if (url[end] !== "?") return query;
  for (const [name, value] of new URLSearchParams(url.slice(end + 1).replace(/#.*$/, ""))) {
    if (!known.includes(name as Name)) {
      throw new HttpError(
        "InvalidArgument",
        `Unknown query parameter ${JSON.stringify(name)}: known here are ${known.join(", ")}`,
      );
    }
    if (query[name as Name] !== undefined) {
      throw new HttpError("InvalidArgument", `The query parameter ${name} is given twice`);
    }
    query[name as Name] = value;
  }
  return query;
}

/** `http://host:port/path` as a rule; but `/path` alone where the Host header was of no use. */
function pathStart(url: string): number {
  if (url.startsWith("/")) return 0;
  const start = url.indexOf("/", url.indexOf("://") + 3);
  return start === -1 ? url.length : start;
}

function pathEnd(url: string): number {
  const end = url.slice(pathStart(url)).search(/[?#]/);
  return end === -1 ? url.length : pathStart(url) + end;
}
