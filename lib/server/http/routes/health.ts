/** `GET /healthz`, `GET /readyz`: for supervisors and load balancers. */

import * as v from "valibot";
import { HttpError } from "../problem.ts";
import type { ResponseDefinition, Route, Service } from "../route.ts";

const NO_STORE = { headers: { "cache-control": "no-store" } };

function status(name: string, description: string): ResponseDefinition {
  return {
    description,
    content: [{
      type: "application/json",
      schema: v.strictObject({ status: v.literal(name) }),
      example: { status: name },
    }],
  };
}

/** Whether the service lives, and whether it is of use. */
export const healthRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/healthz",
    operationId: "health",
    summary: "Whether the process answers",
    tag: "service",
    responses: { 200: status("ok", "It does.") },
    handle: () => Response.json({ status: "ok" }, NO_STORE),
  },
  {
    method: "GET",
    path: "/readyz",
    operationId: "readiness",
    summary: "Whether the store does what it was opened for",
    description:
      "A store that was opened for reading only is ready as long as it is open; one that " +
      "takes writes is not any more after an error of the disk, until it is opened again.",
    tag: "service",
    responses: { 200: status("ready", "It does.") },
    problems: { 503: "The store is closed, or takes no more writes; `detail` says why." },
    handle: answerReady,
  },
];

function answerReady({ store }: Service): Response {
  const { failure } = store;
  if (failure === undefined) return Response.json({ status: "ready" }, NO_STORE);
  const { code, message } = failure;
  throw new HttpError(
    code,
    `The store takes no more writes until it is opened again: ${message}`,
    {},
    {
      status: 503,
    },
  );
}
