/**
 * One line for each request: at debug, as a warning if it was slow, as an error if the service
 * failed. Keys are cut short, queries, headers and bodies are left out, and nothing that a client
 * sends can end a line or begin another.
 */

import { DebugSwitch, type Logger } from "../../telemetry/logger.ts";
import { waitedMs } from "./request_waiting.ts";
import { rawPath } from "./request_target.ts";

const PATH_LENGTH_MAX = 120;
const METHOD_LENGTH_MAX = 16;
// Characters that are no part of a path as RFC 3986 has it, nor visible ASCII.
const NOT_PLAIN = /[^\x21-\x7e]/g;

/** What there is to say about a request that has got its answer. */
export interface AnsweredRequest {
  request: Request;
  route: string;
  status: number;
  durationMs: number;
  requestBytes: number;
  requestId: string;
  traceId: string | undefined;
  /** What the service failed with. */
  error: unknown;
}

/** Writes the lines. */
export class RequestLog {
  #logger: Logger;
  #debug: DebugSwitch;
  #slowMs: number;

  /** Requests that take `slowMs` milliseconds or longer are slow. */
  constructor(logger: Logger, slowMs: number) {
    this.#logger = logger;
    this.#debug = new DebugSwitch(logger);
    this.#slowMs = slowMs;
  }

  /** Whether such a request gets a line. */
  wants(status: number, durationMs: number): boolean {
    return this.#debug.enabled || status >= 500 || durationMs >= this.#slowMs;
  }

  /** Writes the line of a request. */
  write(answered: AnsweredRequest): void {
    const { request, route, status, durationMs, requestBytes, requestId, traceId } = answered;
    const properties = {
      method: plain(request.method, METHOD_LENGTH_MAX),
      path: plain(rawPath(request), PATH_LENGTH_MAX),
      status,
      durationMs: Math.round(durationMs * 1000) / 1000,
      route,
      requestBytes,
      requestId,
      ...(traceId === undefined ? {} : { traceId }),
    };
    const { error } = answered;
    // Overload says so to each client; a line for each would be part of the load.
    const isRefusal = status === 503 && error === undefined;
    if (status >= 500 && !isRefusal) {
      this.#logger.error("{method} {path} failed: {error}", { ...properties, error });
    } else if (durationMs - waitedMs(request) >= this.#slowMs) {
      const message = "{method} {path} was slow: {status} after {durationMs} ms";
      this.#logger.warn(message, properties);
    } else {
      this.#logger.debug("{method} {path} {status} in {durationMs} ms", properties);
    }
  }
}

function plain(text: string, lengthMax: number): string {
  const escaped = text.slice(0, lengthMax).replace(
    NOT_PLAIN,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
  return text.length > lengthMax ? `${escaped}...` : escaped;
}
