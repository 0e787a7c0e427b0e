/** Decides by the `Authorization` header whether a request may be served. */

import type { AccessControl } from "../access_control.ts";
import { HttpError } from "./problem.ts";
import { rawPath } from "./request_target.ts";

/** What answers without a token: they say that the service is up, and nothing else. */
const OPEN_PATHS = new Set(["/healthz", "/readyz"]);
const CHALLENGE = 'Bearer realm="cairn"';
/** What all refusals here are about. */
const BY_TOKEN = { field: "Authorization" };

/** Throws unless the request may be served. `addressOf` is asked only about failures. */
export function checkAccess(
  access: AccessControl,
  { method, headers }: Request,
  path: () => string,
  addressOf: () => string,
): void {
  const reads = method === "GET" || method === "HEAD";
  const authorization = headers.get("authorization");
  if (authorization === null) {
    if (reads && OPEN_PATHS.has(path())) return;
    throw new HttpError(
      "Unauthorized",
      "This service needs a token: send it as Authorization: Bearer <token>",
      { "www-authenticate": CHALLENGE },
      BY_TOKEN,
    );
  }
  const allowed = access.accessOf(tokenIn(authorization));
  if (allowed === "full") return;
  if (allowed === undefined) throw wrong(access.failed(addressOf()));
  if (!reads) {
    throw new HttpError("Forbidden", "This token allows reading only", {
      "www-authenticate": `${CHALLENGE}, error="insufficient_scope"`,
    }, BY_TOKEN);
  }
}

/** Whether a request that reads may be served. Says nothing of why not, and notes nothing. */
export function isAllowed(access: AccessControl, request: Request): boolean {
  const authorization = request.headers.get("authorization");
  if (authorization === null) return OPEN_PATHS.has(rawPath(request));
  return access.accessOf(tokenIn(authorization)) !== undefined;
}

function tokenIn(authorization: string): string {
  return /^Bearer +([^\s]+) *$/i.exec(authorization)?.[1] ?? "";
}

function wrong(delayMs: number): HttpError {
  if (delayMs > 0) {
    return new HttpError("TooManyRequests", "Too many wrong tokens from this address", {
      "retry-after": String(Math.ceil(delayMs / 1000)),
    }, BY_TOKEN);
  }
  return new HttpError("Unauthorized", "The token is not one of this service's", {
    "www-authenticate": `${CHALLENGE}, error="invalid_token"`,
  }, BY_TOKEN);
}
