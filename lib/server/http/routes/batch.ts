/** `POST /v1/batch` */

import * as v from "valibot";
import { KvError } from "../../../errors.ts";
import { BATCH_BODY_BYTES_MAX, BATCH_LENGTH_MAX, batchSchema, parseBatch } from "../batch_body.ts";
import { readJson } from "../json_body.ts";
import { HttpError } from "../problem.ts";
import { queryOf } from "../request_target.ts";
import type { Route, Service } from "../route.ts";
import { integer } from "../validation.ts";

/** Several writes as one. */
export const batchRoutes: readonly Route[] = [{
  method: "POST",
  path: "/v1/batch",
  operationId: "writeBatch",
  summary: "Write several keys, all or nothing",
  description:
    `At most ${BATCH_LENGTH_MAX} operations and as many checks, each of a different key. ` +
    "All checks must hold, or nothing is written. Deleting a key that does not exist is no error " +
    "here. The operation i of n has the version that is returned, less n - 1 - i.",
  tag: "keys",
  body: {
    type: "application/json",
    description: `Operations and checks, in at most ${BATCH_BODY_BYTES_MAX >> 20} MiB.`,
    required: true,
    schema: batchSchema,
    example: {
      ops: [
        { op: "set", key: "alice", value: "70" },
        { op: "set", key: "photo", value: "iVBORw==", encoding: "base64", ttl: 3600 },
        { op: "del", key: "lock" },
      ],
      checks: [{ key: "alice", version: 7 }, { key: "photo", version: null }],
    },
  },
  responses: {
    200: {
      description: "All of it is written.",
      content: [{
        type: "application/json",
        schema: v.strictObject({ version: integer(0, Number.MAX_SAFE_INTEGER) }),
        example: { version: 42 },
      }],
    },
  },
  problems: {
    400: "The body is not JSON, or `field` of it is wrong.",
    409: "A check does not hold; nothing was written.",
    413: "The body, or a value in it, is too long.",
    415: "The Content-Type is not application/json, or there is a Content-Encoding.",
    507: "The disk is full.",
  },
  handle: writeBatch,
}];

async function writeBatch({ store, valueBytesMax }: Service, request: Request): Promise<Response> {
  queryOf(request, []);
  const { ops, checks } = await readJson(
    request,
    BATCH_BODY_BYTES_MAX,
    (body) => parseBatch(body, valueBytesMax),
  );
  try {
    return Response.json(await store.batch(ops, { checks }));
  } catch (error) {
    if (!(error instanceof KvError) || error.code !== "ConditionFailed") throw error;
    const index = checks.findIndex(({ key, version }) =>
      (store.stat(key)?.version ?? null) !== version
    );
    throw new HttpError(error.code, error.message, {}, {
      status: 409,
      // By now another write may have made it hold.
      ...(index !== -1 && { field: `checks[${index}].version` }),
    });
  }
}
