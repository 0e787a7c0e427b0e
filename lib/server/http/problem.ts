/** Errors as `application/problem+json` (RFC 9457), with a `code` that programs can rely on. */

import { KvError, type KvErrorCode } from "../../errors.ts";

/** A refusal that has no counterpart among the errors of the store. */
export type HttpErrorCode =
  | "BadRequest"
  | "Unauthorized"
  | "Forbidden"
  | "NoSuchRoute"
  | "MethodNotAllowed"
  | "RequestTimeout"
  | "BodyTooLarge"
  | "UnsupportedMediaType"
  | "RangeNotSatisfiable"
  | "MisdirectedRequest"
  | "TooManyRequests"
  | "Overloaded"
  | "Internal";

/** The status that goes with each code, unless a route says otherwise. */
export const STATUS_BY_CODE: Record<KvErrorCode | HttpErrorCode, number> = {
  NotFound: 404,
  ConditionFailed: 412,
  InvalidKey: 400,
  InvalidArgument: 400,
  ValueTooLarge: 413,
  Compacted: 410,
  NoSpace: 507,
  // The store answers no more until it is reopened; another attempt may reach a healthy one.
  Io: 503,
  Closed: 503,
  Locked: 503,
  ReadOnly: 503,
  CorruptLog: 500,
  Unsupported: 501,
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NoSuchRoute: 404,
  MethodNotAllowed: 405,
  RequestTimeout: 408,
  BodyTooLarge: 413,
  UnsupportedMediaType: 415,
  RangeNotSatisfiable: 416,
  MisdirectedRequest: 421,
  TooManyRequests: 429,
  Overloaded: 503,
  Internal: 500,
};

/** What each status is called. */
export const TITLE_BY_STATUS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  421: "Misdirected Request",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

const RETRY_AFTER_SECONDS = "5";

/**
 * The part of a request that an error of the store is about; routes know better where there is more
 * than one.
 */
const FIELD_BY_CODE: Partial<Record<KvErrorCode, string>> = {
  InvalidKey: "key",
  ValueTooLarge: "body",
};

/** What a problem may have beside code and detail. */
export interface ProblemDetails {
  /**
   * The part of the request that is wrong: a query parameter, a header, a place in a JSON body; or
   * `method`, `path`, `key` or `body`.
   */
  field?: string;
  /** Another status than the one of the code. */
  status?: number;
}

/** Thrown by handlers to answer with a problem. */
export class HttpError extends Error {
  /** The kind of refusal. */
  readonly code: KvErrorCode | HttpErrorCode;
  /** Further response headers. */
  readonly headers: Record<string, string>;
  /** The part of the request that is wrong, if it is one. */
  readonly field: string | undefined;
  /** The status to answer with. */
  readonly status: number;

  /** `detail` says what was wrong with this request and what to do. */
  constructor(
    code: KvErrorCode | HttpErrorCode,
    detail: string,
    headers: Record<string, string> = {},
    { field, status = STATUS_BY_CODE[code] }: ProblemDetails = {},
  ) {
    super(detail);
    this.name = "HttpError";
    this.code = code;
    this.headers = headers;
    this.field = field;
    this.status = status;
  }
}

/** A refusal of one part of the request; `field` is undefined if that part has no name. */
export function invalidArgument(field: string | undefined, detail: string): HttpError {
  return new HttpError("InvalidArgument", detail, {}, field === undefined ? {} : { field });
}

/** The response for an error. Of an unexpected one it tells nothing but that it happened. */
export function problemOf(error: unknown): Response {
  if (error instanceof HttpError) return problem(error);
  if (!(error instanceof KvError)) {
    return problem(new HttpError("Internal", "An unexpected error; the server's log has it"));
  }
  const { code, message } = error;
  const field = FIELD_BY_CODE[code];
  return problem(new HttpError(code, message, {}, field === undefined ? {} : { field }));
}

/** The status that {@link problemOf} gives an error. */
export function statusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  return error instanceof KvError ? STATUS_BY_CODE[error.code] : 500;
}

function problem({ code, message: detail, field, status, headers }: HttpError): Response {
  const title = TITLE_BY_STATUS[status];
  // A field that is undefined is left out.
  const body = { type: "about:blank", title, status, code, detail, field };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return new Response(bytes, {
    status,
    headers: {
      "content-length": String(bytes.length),
      "content-type": "application/problem+json",
      ...(status === 503 && { "retry-after": RETRY_AFTER_SECONDS }),
      ...headers,
    },
  });
}
