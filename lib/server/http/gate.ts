/**
 * What every request passes before anything looks at what it wants: the guard, the limit on requests
 * under way, and the tokens. Nothing of the application is reached around it.
 */

import type { AccessControl } from "../access_control.ts";
import { HttpError, problemOf } from "./problem.ts";
import { SMALL_BODY_BYTES } from "./body_memory.ts";
import { releaseBody } from "./request_body.ts";
import { checkAccess } from "./request_access.ts";
import type { RequestGuard } from "./request_guard.ts";
import { rawPath } from "./request_target.ts";

/** Answers a request. The second argument is what the runtime's server passes along. */
export type Handler = (request: Request, connection?: unknown) => Response | Promise<Response>;

/** What a {@link Handler} can learn of the connection: Bun passes its server, Deno what it is about. */
export interface Connection {
  /** Bun: requests received and not yet answered in full. */
  readonly pendingRequests?: number;
  requestIP?(request: Request): { address: string } | null;
  /** How long this connection may be idle; 10 seconds unless Bun's server was told otherwise. */
  timeout?(request: Request, seconds: number): void;
  /** Deno. */
  readonly remoteAddr?: { hostname?: string };
}

/** What the gate lets through. */
export interface GateOptions {
  guard: RequestGuard;
  /** Without it, no token is needed. */
  access?: AccessControl;
  /** Requests that may be under way at once. */
  requestsMax: number;
  /** How many of those that a runtime counts have limits of their own. */
  countedApart?: () => number;
}

/** Makes the gate of one application; what it returns puts a handler behind it. */
export function createGate(
  { guard, access, requestsMax, countedApart = () => 0 }: GateOptions,
): (handle: Handler) => Handler {
  /** Where the runtime does not count. */
  let underWay = 0;

  const admit = (
    request: Request,
    connection: Connection | undefined,
    pendingRequests: number,
  ): void => {
    guard(request);
    if (access !== undefined) {
      checkAccess(access, request, () => rawPath(request), () => addressOf(request, connection));
    }
    // After the tokens: who has none learns nothing about the load.
    // The sum first: it is only near the maximum that the rest is looked at.
    if (
      pendingRequests > requestsMax &&
      (connection?.pendingRequests === undefined ||
        pendingRequests - countedApart() > requestsMax)
    ) {
      throw new HttpError("Overloaded", "Too many requests are under way: try again", {
        "retry-after": "1",
      });
    }
  };

  return (handle) => (request, connection) => {
    const view = connection as Connection | undefined;
    const counts = view?.pendingRequests;
    try {
      admit(request, view, counts ?? underWay + 1);
    } catch (error) {
      return refusal(request, error);
    }
    // Where the runtime counts, and nothing is to be given back, nothing waits for the answer.
    return counts !== undefined && hasNoLongBody(request)
      ? handle(request, connection)
      : counted(handle, request, connection);
  };

  async function counted(
    handle: Handler,
    request: Request,
    connection: unknown,
  ): Promise<Response> {
    underWay++;
    try {
      return await handle(request, connection);
    } finally {
      underWay--;
      releaseBody(request);
    }
  }
}

/** Whether it is sure that no memory is reserved for a request's body. */
function hasNoLongBody({ method, headers }: Request): boolean {
  if (method === "GET" || method === "HEAD") return true;
  const declared = headers.get("content-length");
  return declared !== null && Number(declared) <= SMALL_BODY_BYTES;
}

/** The answer to a request whose body nobody will read. */
function refusal(request: Request, error: unknown): Response {
  const response = problemOf(error);
  // Better a new connection than a long body that is read only to be thrown away.
  const declared = request.headers.get("content-length");
  const long = declared === null
    ? request.headers.has("transfer-encoding")
    : Number(declared) > SMALL_BODY_BYTES;
  if (long) response.headers.set("connection", "close");
  return response;
}

function addressOf(request: Request, connection: Connection | undefined): string {
  return connection?.requestIP?.(request)?.address ?? connection?.remoteAddr?.hostname ?? "unknown";
}
