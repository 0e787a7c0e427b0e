/**
 * Tokens: who has one may read, or read and write. Of a token only the digest is kept, so that
 * neither a log nor a dump of an object can give it away, and digests are compared in constant time.
 */

import { hash, timingSafeEqual } from "node:crypto";
import { getLogger } from "@logtape/logtape";
import { systemClock } from "../../clock.ts";
import { FailureLimit } from "./failure_limit.ts";
import { HttpError } from "./problem.ts";

/** The tokens of a service. */
export interface Tokens {
  /** Allows everything. */
  full: string;
  /** Allows `GET` and `HEAD` only. */
  readOnly?: string;
}

/** Fewest characters of a token; 32 hexadecimal digits are 128 bits. */
export const TOKEN_LENGTH_MIN = 32;
/** Most characters of a token. */
export const TOKEN_LENGTH_MAX = 4096;
const DIFFERENT_CHARACTERS_MIN = 8;

/** What answers without a token: they say that the service is up, and nothing else. */
const OPEN_PATHS = new Set(["/healthz", "/readyz"]);
const CHALLENGE = 'Bearer realm="cairn"';
/** What all refusals here are about. */
const BY_TOKEN = { field: "Authorization" };

/**
 * Why a token is not fit to protect anything, for the end of a message; undefined if it is. The
 * message does not show the token.
 */
export function tokenProblem(token: string): string | undefined {
  if (token === "") return "is empty";
  if (!/^[\w.~+/-]+=*$/.test(token)) {
    return "has other characters than a-z, A-Z, 0-9 and - . _ ~ + / ="; // RFC 6750, section 2.1
  }
  if (token.length < TOKEN_LENGTH_MIN) {
    return `has ${token.length} characters, and needs at least ${TOKEN_LENGTH_MIN}`;
  }
  if (token.length > TOKEN_LENGTH_MAX) return `is longer than ${TOKEN_LENGTH_MAX} characters`;
  if (new Set(token).size < DIFFERENT_CHARACTERS_MIN) return "is not random";
  return undefined;
}

/**
 * Decides by the `Authorization` header.
 *
 * @example
 * ```ts ignore
 * const access = new AccessControl({ full: process.env.KV_TOKEN });
 * Deno.serve({ hostname: "127.0.0.1", port: 8620 }, createApp(store, { access }).fetch);
 * ```
 */
export class AccessControl {
  readonly #failures: FailureLimit;
  #full!: Uint8Array;
  #readOnly: Uint8Array | undefined;

  /** Throws a TypeError if a token is not fit, or both are the same. */
  constructor(
    tokens: Tokens,
    failures: FailureLimit = new FailureLimit(systemClock, getLogger(["cairn", "http"])),
  ) {
    this.#failures = failures;
    this.replace(tokens);
  }

  /** Takes other tokens from now on. Throws as the constructor does, and changes nothing then. */
  replace({ full, readOnly }: Tokens): void {
    const problem = tokenProblem(full) ??
      (readOnly === undefined ? undefined : tokenProblem(readOnly));
    if (problem !== undefined) throw new TypeError(`A token ${problem}`);
    if (full === readOnly) throw new TypeError("The read-only token is the same as the full one");
    this.#full = digestOf(full);
    this.#readOnly = readOnly === undefined ? undefined : digestOf(readOnly);
  }

  /** Throws unless the request may be served. `addressOf` is asked only about failures. */
  check({ method, headers }: Request, path: () => string, addressOf: () => string): void {
    const reads = method === "GET" || method === "HEAD";
    const authorization = headers.get("authorization");
    if (authorization === null) {
      if (reads && OPEN_PATHS.has(path())) return;
      throw new HttpError(
        "Unauthorized",
        "This service needs a token: send it as Authorization: Bearer <token>",
        { "www-authenticate": CHALLENGE },
        BY_TOKEN,
      );
    }
    const token = /^Bearer +([^\s]+) *$/i.exec(authorization)?.[1];
    const digest = digestOf(token ?? "");
    // Both are always compared, so that time does not tell which one was nearly right.
    const isFull = timingSafeEqual(digest, this.#full);
    const isReadOnly = this.#readOnly !== undefined && timingSafeEqual(digest, this.#readOnly);
    if (isFull) return;
    if (!isReadOnly) throw this.#wrong(addressOf());
    if (!reads) {
      throw new HttpError("Forbidden", "This token allows reading only", {
        "www-authenticate": `${CHALLENGE}, error="insufficient_scope"`,
      }, BY_TOKEN);
    }
  }

  #wrong(address: string): HttpError {
    const delayMs = this.#failures.failed(address);
    if (delayMs > 0) {
      return new HttpError("TooManyRequests", "Too many wrong tokens from this address", {
        "retry-after": String(Math.ceil(delayMs / 1000)),
      }, BY_TOKEN);
    }
    return new HttpError("Unauthorized", "The token is not one of this service's", {
      "www-authenticate": `${CHALLENGE}, error="invalid_token"`,
    }, BY_TOKEN);
  }
}

function digestOf(token: string): Uint8Array {
  return hash("sha256", token, "buffer");
}
