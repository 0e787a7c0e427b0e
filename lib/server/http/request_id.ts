/** The id by which a request is found again: in its answer, in the log, at the caller's. */

import { type RandomSource, systemRandom } from "../../mod.ts";
import { parseTraceparent } from "../telemetry/traceparent.ts";

/** Header of the id, in requests and answers. */
export const REQUEST_ID_HEADER = "x-request-id";

const ACCEPTED = /^[\w.:+/=@~-]{1,64}$/;
const PREFIX_BYTES = 8;

/** The caller's `X-Request-Id` if it is short and harmless; else the trace id of its `traceparent`. */
export function givenRequestId(headers: Headers): string | undefined {
  const given = headers.get(REQUEST_ID_HEADER);
  if (given !== null && ACCEPTED.test(given)) return given;
  const traceparent = headers.get("traceparent");
  return traceparent === null ? undefined : parseTraceparent(traceparent)?.traceId;
}

/** Gives ids to requests that come without. */
export class RequestIds {
  #prefix: string;
  #count = 0;

  /** Draws a prefix, so that ids of two runs differ. */
  constructor(random: RandomSource = systemRandom) {
    const bytes = new Uint8Array(PREFIX_BYTES);
    random.fill(bytes);
    this.#prefix = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** A new one. */
  next(): string {
    return `${this.#prefix}-${(++this.#count).toString(36)}`;
  }
}
