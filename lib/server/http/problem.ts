/** Errors as `application/problem+json` (RFC 9457), with a `code` that programs can rely on. */

import { KvError, type KvErrorCode } from "../../errors.ts";

/** A refusal that has no counterpart among the errors of the store. */
export type HttpErrorCode =
  | "BadRequest"
  | "Forbidden"
  | "NoSuchRoute"
  | "MethodNotAllowed"
  | "MisdirectedRequest"
  | "Internal";

const STATUS_BY_CODE: Record<KvErrorCode | HttpErrorCode, number> = {
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
  Forbidden: 403,
  NoSuchRoute: 404,
  MethodNotAllowed: 405,
  MisdirectedRequest: 421,
  Internal: 500,
};

const TITLE_BY_STATUS: Record<number, string> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  421: "Misdirected Request",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

const RETRY_AFTER_SECONDS = "5";

/** Thrown by handlers to answer with a problem. */
export class HttpError extends Error {
  /** The kind of refusal. */
  readonly code: KvErrorCode | HttpErrorCode;
  /** Further response headers. */
  readonly headers: Record<string, string>;

  /** `detail` says what was wrong with this request and what to do. */
  constructor(
    code: KvErrorCode | HttpErrorCode,
    detail: string,
    headers: Record<string, string> = {},
  ) {
    super(detail);
    this.name = "HttpError";
    this.code = code;
    this.headers = headers;
  }
}

/** The response for an error. Of an unexpected one it tells nothing but that it happened. */
export function problemOf(error: unknown): Response {
  if (error instanceof HttpError) return problem(error.code, error.message, error.headers);
  if (error instanceof KvError) return problem(error.code, error.message);
  return problem("Internal", "An unexpected error; the server's log has it");
}

/** The status that {@link problemOf} gives an error. */
export function statusOf(error: unknown): number {
  return error instanceof HttpError || error instanceof KvError ? STATUS_BY_CODE[error.code] : 500;
}

function problem(
  code: KvErrorCode | HttpErrorCode,
  detail: string,
  headers: Record<string, string> = {},
): Response {
  const status = STATUS_BY_CODE[code];
  const body = { type: "about:blank", title: TITLE_BY_STATUS[status], status, code, detail };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      ...(status === 503 && { "retry-after": RETRY_AFTER_SECONDS }),
      ...headers,
    },
  });
}
