/**
 * Tokens: who has one may read, or read and write. Of a token only the digest is kept, so that
 * neither a log nor a dump of an object can give it away, and digests are compared in constant time.
 */

import { hash, timingSafeEqual } from "node:crypto";
import { getLogger } from "@logtape/logtape";
import { systemClock } from "../clock.ts";
import { FailureLimit } from "./failure_limit.ts";

/** The tokens of a service. */
export interface Tokens {
  /** Allows everything. */
  full: string;
  /** Allows reading only: `GET` and `HEAD` of HTTP, the commands that write nothing of TCP. */
  readOnly?: string;
}

/** What a token allows. */
export type Access = "full" | "read";

/** Fewest characters of a token; 32 hexadecimal digits are 128 bits. */
export const TOKEN_LENGTH_MIN = 32;
/** Most characters of a token. */
export const TOKEN_LENGTH_MAX = 4096;
const DIFFERENT_CHARACTERS_MIN = 8;

/**
 * Why a token is not fit to protect anything, for the end of a message; undefined if it is. The
 * message does not show the token.
 *
 * @example
 * ```ts
 * import { tokenProblem } from "@cairn/kv/http";
 *
 * console.log(tokenProblem("abababababababababababababababab")); // is not random
 * console.log(tokenProblem("9f86d081884c7d659a2feaa0c55ad015")); // undefined
 * ```
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
 * Knows what a token allows. Several servers of one store can share it.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 * import { AccessControl, createApp } from "@cairn/kv/http";
 *
 * await using store = await KvStore.open("./data");
 * const full = "9f86d081884c7d659a2feaa0c55ad015"; // from a file, and never in the source
 * const app = createApp(store, { access: new AccessControl({ full }) });
 *
 * const url = "http://localhost/v1/kv/greeting";
 * console.log((await app.request(url)).status); // 401
 * const headers = { authorization: `Bearer ${full}` };
 * console.log((await app.request(url, { headers })).status); // 404
 * ```
 */
export class AccessControl {
  readonly #failures: FailureLimit;
  #full!: Uint8Array;
  #readOnly: Uint8Array | undefined;

  /** Throws a TypeError if a token is not fit, or both are the same. */
  constructor(
    tokens: Tokens,
    failures: FailureLimit = new FailureLimit(systemClock, getLogger(["cairn", "access"])),
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

  /** What a token allows; undefined if it is none of ours, which is then to be {@link failed}. */
  accessOf(token: string | Uint8Array): Access | undefined {
    const digest = digestOf(token);
    // Both are always compared, so that time does not tell which one was nearly right.
    const isFull = timingSafeEqual(digest, this.#full);
    const isReadOnly = this.#readOnly !== undefined && timingSafeEqual(digest, this.#readOnly);
    if (isFull) return "full";
    return isReadOnly ? "read" : undefined;
  }

  /**
   * Notes a wrong token from an address. Returns 0, or if there were too many, in how many
   * milliseconds to try again.
   */
  failed(address: string): number {
    return this.#failures.failed(address);
  }
}

function digestOf(token: string | Uint8Array): Uint8Array {
  return hash("sha256", token, "buffer");
}
