/** Counts failures by address, in bounded memory: each address may have some, and regains them slowly. */

import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/logger.ts";

/** Failures an address may have at once. */
const FAILURES_MAX = 10;
/** After so long it may have one more. */
const REGAIN_MS = 6_000;
/** Addresses remembered; of more, those that failed longest ago are forgotten. */
const ADDRESSES_MAX = 4096;

/**
 * A limit on wrong tokens. It keeps a client with a stale token, or a guesser, from filling the log
 * and tells it to go slower. It is not what keeps guessers out, which the length of tokens does: so a
 * right token is served even from an address that has failed too often, or else one client could lock
 * out all others behind the same proxy or on the same machine.
 */
export class FailureLimit {
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** By address, the time at which all failures will be forgotten; the oldest failure is first. */
  readonly #clearAt = new Map<string, number>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Notes a failure. Returns 0, or after too many in how many milliseconds to try again. */
  failed(address: string): number {
    const network = networkOf(address);
    const now = this.#clock.monotonic();
    const before = Math.max(this.#clearAt.get(network) ?? now, now);
    const delayMs = before + REGAIN_MS - (now + FAILURES_MAX * REGAIN_MS);
    if (delayMs > 0) return delayMs;
    this.#clearAt.delete(network);
    this.#clearAt.set(network, before + REGAIN_MS);
    if (this.#clearAt.size > ADDRESSES_MAX) this.#forgetOldest();
    const isLast = delayMs + REGAIN_MS > 0;
    this.#logger.warn(
      isLast
        ? "Wrong token from {address}, and too many of them: not logged until they are fewer"
        : "Wrong token from {address}",
      { address },
    );
    return 0;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#clearAt.size;
  }

  #forgetOldest(): void {
    for (const network of this.#clearAt.keys()) {
      this.#clearAt.delete(network);
      return;
    }
  }
}

/** One household has one IPv4 address, but 2^64 of IPv6. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  if (tail !== undefined) {
    while (groups.length + after.length < 8) groups.push("0");
  }
  return [...groups, ...after].slice(0, 4).join(":");
}
