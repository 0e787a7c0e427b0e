/** `GET /v1/changes` */

import { Buffer } from "node:buffer";
import * as v from "valibot";
import { KvError } from "../../../errors.ts";
import type { ChangesOptions } from "../../../mod.ts";
import { type ChangeFormat, EVENT_STREAM, NDJSON_STREAM } from "../change_format.ts";
import { pollChanges } from "../change_poll.ts";
import { ChangeStream } from "../change_stream.ts";
import { prefers } from "../media_type.ts";
import { HttpError, invalidArgument } from "../problem.ts";
import { noteWaiting } from "../request_waiting.ts";
import { heldResponse } from "../response_memory.ts";
import type { QueryDefinition, Route, Service } from "../route.ts";
import { flag, integer, isOn, readQuery } from "../validation.ts";

const JSON_TYPE = "application/json";
/** What servers and proxies let a connection be idle, as a rule. */
const QUIET_SECONDS_MAX = 60;
const WAIT_SECONDS_MAX = QUIET_SECONDS_MAX - 10;
const RESUME_HEADER = "Last-Event-ID";

const version = integer(0, Number.MAX_SAFE_INTEGER);

const QUERY = {
  since: {
    schema: version,
    description:
      "What was written after this version, 0 for all that the log holds; by default what " +
      "is written from now on.",
  },
  prefix: { schema: v.string(), description: "Only keys that begin with this." },
  values: { schema: flag, description: "With values." },
  wait: {
    schema: integer(0, WAIT_SECONDS_MAX),
    description: "One answer instead of a stream: at once if there are changes, else after the " +
      "first one, or after so many seconds.",
  },
} satisfies QueryDefinition;

/** A change, as it is written in all of the formats. */
const changeSchema = v.strictObject({
  version,
  op: v.picklist(["set", "del"]),
  key: v.string(),
  expiresAt: v.optional(
    v.pipe(
      version,
      v.description("When it expires, in milliseconds since the epoch; only if it does."),
    ),
  ),
  size: v.optional(
    v.pipe(version, v.description("Length of a value over 1 MiB, which is left out: get the key.")),
  ),
  value: v.optional(
    v.pipe(v.string(), v.description("With values=1, of a set: as text if it is valid UTF-8.")),
  ),
  encoding: v.optional(
    v.pipe(v.literal("base64"), v.description("Given if the value is not text but in base64.")),
  ),
});

const pollSchema = v.strictObject({
  changes: v.array(changeSchema),
  version: v.pipe(version, v.description("What to ask for next, as since.")),
});

const SET = { version: 42, op: "set", key: "greeting", value: "hello" };

/** What is written. */
export const changesRoutes: readonly Route[] = [{
  method: "GET",
  path: "/v1/changes",
  operationId: "followChanges",
  summary: "Follow what is written, live and from any version on",
  description: "In ascending order of versions, with at least the newest change of every key. As " +
    "server-sent events: the id is the version, the event set or del, the data the change. With " +
    "Accept: application/x-ndjson one change a line, where a line without op only says how far the " +
    "feed has come. With wait a single answer, of at most 1000 changes and about 1 MiB. A stream " +
    "goes on for ever: whenever it ends, connect again with the last version as since.",
  tag: "store",
  query: QUERY,
  headers: {
    [RESUME_HEADER]: {
      schema: version,
      description: "The id of the last event that was seen: takes the place of since.",
    },
  },
  responses: {
    200: {
      description: "Changes.",
      content: [
        {
          type: EVENT_STREAM.type,
          example: `id: 42\nevent: set\ndata: ${JSON.stringify(SET)}\n\n`,
        },
        { type: NDJSON_STREAM.type, schema: changeSchema, example: SET },
        { type: JSON_TYPE, schema: pollSchema, example: { changes: [SET], version: 42 } },
      ],
    },
  },
  problems: {
    400:
      "A query parameter or Last-Event-ID is wrong, or above the store's version; `field` says " +
      "which.",
    410: "Not all changes since then are there any more: start again from a listing.",
    503: "There are as many feeds as there may be, or the service stops.",
  },
  quietSecondsMax: QUIET_SECONDS_MAX,
  handle: followChanges,
}];

async function followChanges(service: Service, request: Request): Promise<Response> {
  const { prefix = "", values, wait, ...query } = readQuery(request, QUERY);
  const { store, changeFeeds } = service;
  const resumed = lastEventId(request);
  const since = resumed ?? query.since;
  const options: ChangesOptions = { prefix, values: isOn(values) };
  const giveBack = changeFeeds.take();
  let isStream = false;
  try {
    if (wait !== undefined) {
      const from = since ?? store.stats().version;
      return await answerPoll(service, request, { ...options, since: from }, wait);
    }
    if (since !== undefined) options.since = since;
    const response = answerStream(service, request, options, giveBack);
    isStream = true;
    return response;
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    const field = resumed === undefined ? "since" : RESUME_HEADER;
    if (error.code === "Compacted") throw new HttpError(error.code, error.message, {}, { field });
    if (error.code !== "InvalidArgument") throw error;
    throw invalidArgument(field, error.message.replace(/^Option /, ""));
  } finally {
    if (!isStream) giveBack();
  }
}

function answerStream(
  { store, logger, telemetry, changeFeeds }: Service,
  request: Request,
  options: ChangesOptions,
  onEnd: () => void,
): Response {
  const feed = store.changes(options);
  const format = formatFor(request);
  const body = ChangeStream.open({
    feed,
    format,
    clock: telemetry.clock,
    logger,
    gone: request.signal,
    stopping: changeFeeds.stopping,
    onEnd,
  });
  return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, {
    headers: {
      "cache-control": "no-store",
      vary: "accept",
      "content-type": format.type,
      // Proxies that collect answers before they pass them on would hold back what is new.
      "x-accel-buffering": "no",
    },
  });
}

async function answerPoll(
  { store, telemetry, changeFeeds }: Service,
  request: Request,
  options: ChangesOptions & { since: number },
  waitSeconds: number,
): Promise<Response> {
  const { clock } = telemetry;
  const begin = clock.monotonic();
  const body = await pollChanges({
    store,
    clock,
    options,
    waitMs: waitSeconds * 1000,
    signals: [request.signal, changeFeeds.stopping],
  });
  noteWaiting(request, clock.monotonic() - begin);
  const byteLength = Buffer.byteLength(body);
  const headers = {
    "cache-control": "no-store",
    "content-type": JSON_TYPE,
    "content-length": String(byteLength),
  };
  return await heldResponse(new Response(body, { headers }), byteLength);
}

function formatFor(request: Request): ChangeFormat {
  const accept = request.headers.get("accept");
  return prefers(accept, NDJSON_STREAM.type, EVENT_STREAM.type) ? NDJSON_STREAM : EVENT_STREAM;
}

function lastEventId({ headers }: Request): number | undefined {
  const given = headers.get(RESUME_HEADER);
  if (given === null || given === "") return undefined;
  if (/^\d{1,15}$/.test(given)) return Number(given);
  throw invalidArgument(
    RESUME_HEADER,
    `${RESUME_HEADER} is ${JSON.stringify(given.slice(0, 60))}: it must be a version`,
  );
}
