/**
 * What every request passes before anything looks at what it wants: the guard, the limit on requests
 * under way, and the tokens. Nothing of the application is reached around it.
 */

import type { AccessControl } from "./access_control.ts";
import { HttpError, problemOf } from "./problem.ts";
import { SMALL_BODY_BYTES } from "./body_memory.ts";
import { releaseBody } from "./request_body.ts";
import type { RequestGuard } from "./request_guard.ts";
import { rawPath } from "./request_target.ts";

/** Answers a request. The second argument is what the runtime's server passes along. */
export type Handler = (request: Request, connection?: unknown) => Response | Promise<Response>;

/** What a {@link Handler} can learn of the connection: Bun passes its server, Deno what it is about. */
interface Connection {
  /** Bun: requests received and not yet answered in full. */
  readonly pendingRequests?: number;
  requestIP?(request: Request): { address: string } | null;
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
}

/** Makes the gate of one application; what it returns puts a handler behind it. */
export function createGate(
  { guard, access, requestsMax }: GateOptions,
): (handle: Handler) => Handler {
  /** Where the runtime does not count. */
  let underWay = 0;

  const admit = (request: Request, connection: Connection | undefined): void => {
    guard(request);
    access?.check(request, () => rawPath(request), () => addressOf(request, connection));
    // After the tokens: who has none learns nothing about the load.
    if ((connection?.pendingRequests ?? underWay + 1) > requestsMax) {
      throw new HttpError("Overloaded", "Too many requests are under way: try again", {
        "retry-after": "1",
      });
    }
  };

  return (handle) => (request, connection) => {
    const view = connection as Connection | undefined;
    try {
      admit(request, view);
    } catch (error) {
      return refusal(request, error);
    }
    const { method } = request;
    if (view?.pendingRequests !== undefined && (method === "GET" || method === "HEAD")) {
      return handle(request, connection);
    }
    return counted(handle, request, connection);
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
