/**
 * The short way of requests about one key: a GET or PUT without query and without conditions, of a
 * short and plain key, and with a short value. The key is decoded to where the store looks for it, the
 * value copied to where the answer takes it from, and a PUT has one promise of its own. What this does
 * not do it leaves alone, for the ways of key_read.ts and key_write.ts, which do the same and know of
 * every limit and error.
 */

import { NOT_DIRECT } from "../../mod.ts";
import type { CountedAccess } from "../telemetry/counted_access.ts";
import { resultOf } from "../telemetry/operation_counts.ts";
import { noteResponseBytes } from "./body_bytes.ts";
import { valueHeaders, writtenResponse } from "./key_headers.ts";
import { receiveSmall } from "./request_body.ts";
import { KEY_ROUTE, pathStart } from "./request_target.ts";

/** Values of more bytes are left alone; bodies up to this are small ones. */
const VALUE_BYTES_MAX = 32 << 10;
/** Of other requests than the last one, nothing is in here. */
const keyBytes = new Uint8Array(256);
const valueBytes = new Uint8Array(VALUE_BYTES_MAX);

const PERCENT = 0x25;
const QUESTION_MARK = 0x3f;
const NUMBER_SIGN = 0x23;

/** Decodes the key that a URL ends with into {@link keyBytes}; 0 if it, or the URL, is not that plain. */
function decodeKey(url: string): number {
  const start = pathStart(url);
  if (!url.startsWith(KEY_ROUTE, start)) return 0;
  let length = 0;
  for (let at = start + KEY_ROUTE.length; at < url.length; at++) {
    let code = url.charCodeAt(at);
    if (code === QUESTION_MARK || code === NUMBER_SIGN) return 0;
    if (code === PERCENT) {
      code = hexDigit(url.charCodeAt(at + 1)) << 4 | hexDigit(url.charCodeAt(at + 2));
      at += 2;
    }
    // Also what is no hexadecimal digit, or no more there.
    if (code < 0 || code > 0x7f || length === keyBytes.length) return 0;
    keyBytes[length++] = code;
  }
  return length;
}

/** What a digit stands for; -1 if it is none. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Answers a GET of a value that is there; undefined if it is left alone. */
export function readDirectly(
  { direct, gets, tracing }: CountedAccess,
  { url, headers }: Request,
): Response | undefined {
  const keyLength = decodeKey(url);
  if (keyLength === 0 || tracing.enabled || isConditional(headers) || headers.has("range")) {
    return undefined;
  }
  const address = direct.find(keyBytes, 0, keyLength);
  if (address === 0 || address === NOT_DIRECT) return undefined;
  const length = direct.valueLength(address);
  if (length > VALUE_BYTES_MAX) return undefined;
  try {
    direct.copyValue(address, valueBytes, 0);
  } catch (error) {
    gets[resultOf(error)]++;
    throw error;
  }
  gets.ok++;
  const told = valueHeaders(direct.version(address), direct.expiresAt(address), length);
  // The bytes are copied before the constructor returns.
  const response = new Response(valueBytes.subarray(0, length), { headers: told });
  noteResponseBytes(response, length);
  return response;
}

/** Answers a PUT; undefined if it is left alone. `write` stores a body that cannot go this way. */
export function writeDirectly(
  access: CountedAccess,
  request: Request,
  valueBytesMax: number,
  write: (value: Uint8Array) => Promise<Response>,
): Promise<Response> | undefined {
  const { url, headers } = request;
  const declared = headers.get("content-length");
  const length = declared === null ? NaN : Number(declared);
  if (!(length <= Math.min(valueBytesMax, VALUE_BYTES_MAX))) return undefined;
  if (
    decodeKey(url) === 0 || access.tracing.enabled || isConditional(headers) ||
    headers.has("content-range") || headers.has("content-encoding")
  ) return undefined;
  return new Promise((resolve, reject) => {
    const listener = new DirectWrite(access, resolve, reject);
    receiveSmall(request, length, (value) => {
      try {
        const version = access.direct.setFor(listener, keyBytes, 0, decodeKey(url), value);
        if (version === NOT_DIRECT) resolve(write(value));
      } catch (error) {
        listener.failed(error);
      }
    }, reject);
  });
}

function isConditional(headers: Headers): boolean {
  return headers.has("if-match") || headers.has("if-none-match");
}

/** A write under way; told by the store what becomes of it. */
class DirectWrite {
  readonly #access: CountedAccess;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    access: CountedAccess,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    this.#access = access;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  written(version: number, created: boolean): void {
    this.#access.sets.ok++;
    this.#resolve(writtenResponse(version, created));
  }

  failed(error: unknown): void {
    this.#access.sets[resultOf(error)]++;
    this.#reject(error);
  }
}
