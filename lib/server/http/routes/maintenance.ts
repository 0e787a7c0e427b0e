/** `POST /v1/flush`, `POST /v1/compact`, `GET /v1/stats` */

import * as v from "valibot";
import { queryOf } from "../request_target.ts";
import type { Route, Service } from "../route.ts";
import { integer } from "../validation.ts";

const count = integer(0, Number.MAX_SAFE_INTEGER);
const millis = v.pipe(v.number(), v.minValue(0));

const compactionSchema = v.strictObject({
  segmentsBefore: v.pipe(count, v.description("Segments that were rewritten.")),
  segmentsAfter: v.pipe(count, v.description("Segments that hold their live records now.")),
  bytesReclaimed: v.pipe(
    v.number(),
    v.integer(),
    v.description("Bytes given back to the file system."),
  ),
  recordsMoved: v.pipe(count, v.description("Records copied.")),
  durationMs: v.pipe(millis, v.description("Time taken, in milliseconds.")),
});

/** As `StoreStats` of the library. */
export const statsSchema: v.GenericSchema = v.strictObject({
  keys: v.pipe(count, v.description("Keys that exist now.")),
  expiringKeys: v.pipe(count, v.description("Of which those that will expire.")),
  version: v.pipe(count, v.description("Version of the newest record.")),
  durableVersion: v.pipe(count, v.description("Version up to which all is on stable storage.")),
  totalBytes: v.pipe(count, v.description("Bytes of all log segments.")),
  aliveBytes: v.pipe(count, v.description("Bytes of records that are a key's current state.")),
  deadBytes: v.pipe(count, v.description("All other bytes.")),
  segments: v.pipe(count, v.description("Log segments.")),
  indexBytes: v.pipe(count, v.description("Memory of the index, keys included.")),
  indexKeyBytes: v.pipe(count, v.description("Of which the keys.")),
  writesInFlight: v.pipe(count, v.description("Writes accepted but not yet acknowledged.")),
  syncs: v.pipe(count, v.description("Fsyncs of the log since opening.")),
  compactions: v.pipe(count, v.description("Compactions finished since opening.")),
  compacting: v.pipe(v.boolean(), v.description("Whether one is running.")),
  backpressureMs: v.pipe(
    millis,
    v.description("For how long since opening writes waited for compaction, in milliseconds."),
  ),
  lastCompaction: v.optional(compactionSchema),
  lastCompactionAt: v.optional(
    v.pipe(millis, v.description("When that was over, in milliseconds since the epoch.")),
  ),
  nodeId: v.pipe(v.string(), v.description("Identity of the store.")),
  replay: v.strictObject({
    segments: v.pipe(count, v.description("Log segments read at opening.")),
    hints: v.pipe(count, v.description("Of which through their hint files.")),
    checkpointKeys: v.pipe(
      count,
      v.description("Keys that came from the checkpoint of the index."),
    ),
    records: v.pipe(count, v.description("Records applied.")),
    bytes: v.pipe(count, v.description("Bytes of log and hints read.")),
    truncatedBytes: v.pipe(count, v.description("Bytes of a torn tail that were cut off.")),
    durationMs: v.pipe(millis, v.description("Time taken, in milliseconds.")),
  }),
});

const JSON_TYPE = "application/json";
const WITHOUT_QUERY = "There is a query parameter, which none of these take.";

/** The store as a whole. */
export const maintenanceRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/flush",
    operationId: "flush",
    summary: "Make everything durable that was acknowledged",
    description: "Of use with batch durability.",
    tag: "store",
    responses: { 204: { description: "All that was acknowledged before is on stable storage." } },
    problems: { 400: WITHOUT_QUERY, 507: "The disk is full." },
    async handle({ store }: Service, request: Request): Promise<Response> {
      queryOf(request, []);
      await store.flush();
      return new Response(null, { status: 204 });
    },
  },
  {
    method: "POST",
    path: "/v1/compact",
    operationId: "compact",
    summary: "Give back the space of dead records",
    description:
      "Answered when it is done; reads and writes go on meanwhile. One compaction runs at " +
      "a time: another request waits for its turn. The store also compacts by itself.",
    tag: "store",
    responses: {
      200: {
        description: "What it did.",
        content: [{
          type: JSON_TYPE,
          schema: compactionSchema,
          example: {
            segmentsBefore: 3,
            segmentsAfter: 1,
            bytesReclaimed: 1048576,
            recordsMoved: 1000,
            durationMs: 12,
          },
        }],
      },
    },
    problems: { 400: WITHOUT_QUERY, 507: "The disk is full." },
    async handle({ store }: Service, request: Request): Promise<Response> {
      queryOf(request, []);
      return Response.json(await store.compact());
    },
  },
  {
    method: "GET",
    path: "/v1/stats",
    operationId: "stats",
    summary: "Figures about the store",
    tag: "store",
    responses: {
      200: {
        description: "As of now.",
        content: [{ type: JSON_TYPE, schema: statsSchema }],
      },
    },
    problems: { 400: WITHOUT_QUERY },
    handle({ store }: Service, request: Request): Response {
      queryOf(request, []);
      return Response.json(store.stats(), { headers: { "cache-control": "no-store" } });
    },
  },
];
