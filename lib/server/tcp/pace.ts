/**
 * Whether the client of a connection is fast enough. Looked at now and then for all connections, so
 * that nobody asks for the time when a byte comes.
 */

import type { TcpLimits } from "./connection_context.ts";

/** How a connection is doing. */
export interface Progress {
  /** Whether the client is owed something. */
  isOwed: boolean;
  /** Bytes of replies that it has not taken. */
  unsentBytes: number;
  /** Bytes of a long command that it has begun; 0 if there is none. */
  commandBytes: number;
}

/** What is wrong with it. */
export type PaceProblem = "idle" | "takes slowly" | "sends slowly";

/** The pace of one connection. */
export class Pace {
  /** Set whenever something comes. */
  isActive = true;
  /** Set when the first command is whole. */
  hasCommanded = false;
  /** Bytes that the client took; counted by whoever sends. */
  taken = 0;

  readonly #limits: TcpLimits;
  #activeAt: number;
  #commandBeganAt = -1;
  #unsentSince = -1;
  #takenBefore = 0;

  constructor(limits: TcpLimits, now: number) {
    this.#limits = limits;
    this.#activeAt = now;
  }

  /** A command is whole; another may begin. */
  commandEnded(): void {
    this.hasCommanded = true;
    this.#commandBeganAt = -1;
  }

  /** Nothing is unsent any more. */
  allSent(): void {
    this.#unsentSince = -1;
  }

  /** For how long nothing has come, in milliseconds. */
  idleMs(now: number): number {
    if (this.isActive) {
      this.isActive = false;
      this.#activeAt = now;
    }
    return now - this.#activeAt;
  }

  /** What is wrong, as of now. */
  check(now: number, { isOwed, unsentBytes, commandBytes }: Progress): PaceProblem | undefined {
    const idleMs = this.idleMs(now);
    const idleMsMax = this.hasCommanded ? this.#limits.idleMs : this.#limits.firstCommandMs;
    if (this.#isTakingSlowly(now, unsentBytes)) return "takes slowly";
    if (this.#isSendingSlowly(now, commandBytes)) return "sends slowly";
    return !isOwed && idleMsMax > 0 && idleMs >= idleMsMax ? "idle" : undefined;
  }

  #isTakingSlowly(now: number, unsentBytes: number): boolean {
    if (unsentBytes === 0) {
      this.#unsentSince = -1;
      return false;
    }
    if (this.#unsentSince < 0) {
      this.#unsentSince = now;
      this.#takenBefore = this.taken;
    }
    return this.#isSlow(now - this.#unsentSince, this.taken - this.#takenBefore);
  }

  #isSendingSlowly(now: number, commandBytes: number): boolean {
    if (commandBytes === 0) {
      this.#commandBeganAt = -1;
      return false;
    }
    if (this.#commandBeganAt < 0) this.#commandBeganAt = now;
    return this.#isSlow(now - this.#commandBeganAt, commandBytes);
  }

  #isSlow(elapsedMs: number, bytes: number): boolean {
    const { stallMs, bytesPerSecondMin } = this.#limits;
    return elapsedMs > stallMs + 1000 * bytes / bytesPerSecondMin;
  }
}
