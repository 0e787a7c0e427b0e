/**
 * What a route is: the method and path that it answers, what it takes and returns, and the code that
 * does it. The application and the OpenAPI document are both made from these definitions.
 */

import type { GenericSchema } from "valibot";
import type { Logger } from "../../telemetry/logger.ts";
import type { CountedAccess } from "../telemetry/counted_access.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { ChangeFeeds } from "./change_feeds.ts";
import type { SlotLimit } from "./slot_limit.ts";
import type { StoreApi } from "./store_api.ts";

/** What handlers work with. */
export interface Service {
  /** The store that is served. */
  readonly store: StoreApi;
  /** The short way into it, if it has one. */
  readonly access?: CountedAccess;
  /** Longest value to accept, in bytes. */
  readonly valueBytesMax: number;
  /** Receives log entries. */
  readonly logger: Logger;
  /** What is measured. */
  readonly telemetry: Telemetry;
  /** The change feeds that are open. */
  readonly changeFeeds: ChangeFeeds;
  /** Backups that may be sent at once. */
  readonly backups: SlotLimit;
  /** All routes, for those that describe them. */
  readonly routes: readonly Route[];
}

/** A parameter in the query or among the headers. */
export interface Parameter {
  /** What values it takes. */
  readonly schema: GenericSchema;
  /** What it is for. */
  readonly description: string;
}

/** The parameters that a query may have, by name. */
export type QueryDefinition = Readonly<Record<string, Parameter>>;

/** A body, of a request or a response. */
export interface Content {
  /** Its media type. */
  readonly type: string;
  /** Its shape; without, it is bytes or text of any kind. */
  readonly schema?: GenericSchema;
  /** What one may look like. */
  readonly example?: unknown;
}

/** An answer that is no problem document. */
export interface ResponseDefinition {
  /** When it is given, and what it means. */
  readonly description: string;
  /** Its body in each of the media types it comes in; none if there is no body. */
  readonly content?: readonly Content[];
  /** Its headers, with what they say. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A method of the routes here. HEAD and OPTIONS are answered beside them. */
export type Method = "GET" | "HEAD" | "PUT" | "DELETE" | "POST";

/** One operation of the service. */
export interface Route {
  readonly method: Method;
  /** Its path, with `{key}` for a key, which takes all that follows. */
  readonly path: string;
  /** Unique name, for programs that are generated. */
  readonly operationId: string;
  /** One line. */
  readonly summary: string;
  /** What the line leaves open. */
  readonly description?: string;
  /** What it belongs to. */
  readonly tag: "keys" | "store" | "service";
  /** Query parameters. */
  readonly query?: QueryDefinition;
  /** Request headers that matter. */
  readonly headers?: Readonly<Record<string, Parameter>>;
  /** The request's body. */
  readonly body?: Content & { readonly description: string; readonly required: boolean };
  /** Answers by status. */
  readonly responses: Readonly<Record<number, ResponseDefinition>>;
  /** Problems that it answers with beside those that every route has: when, by status. */
  readonly problems?: Readonly<Record<number, string>>;
  /** Its answers may be quiet for so many seconds, though servers let connections be for fewer. */
  readonly quietSecondsMax?: number;
  /** Answers a request. */
  handle(service: Service, request: Request): Response | Promise<Response>;
}
