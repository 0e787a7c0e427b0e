/**
 * How many connections may be open. Each takes a file descriptor, of which a process has so many; a
 * server that runs out cannot accept, and spins, and a store that runs out cannot open its next file.
 */

/** Tells how many descriptors are in use, and how many of them a server may let it become. */
export interface ConnectionLimit {
  /** Descriptors of this process that are open now, of whatever kind. */
  descriptorsOpen(): number;
  /** From here on, idle connections are closed, and no new ones taken until there are fewer. */
  descriptorsMax: number;
  /** Called when that begins, at most now and then. */
  onLimit(descriptors: number): void;
}

/** Connections that a server has at most, whatever the process may open. */
const CONNECTIONS_MAX = 16_384;
/** Descriptors left to the store's files. */
const RESERVED_MAX = 256;

/**
 * The maximum for a process that may open `descriptorsLimit`, and has `descriptorsOpen` already.
 *
 * @example
 * ```ts
 * import { descriptorsMaxOf } from "@cairn/kv/http";
 *
 * console.log(descriptorsMaxOf(1024, 30)); // 768
 * ```
 */
export function descriptorsMaxOf(descriptorsLimit: number, descriptorsOpen: number): number {
  const reserved = Math.min(RESERVED_MAX, Math.floor(descriptorsLimit / 4));
  return Math.min(descriptorsLimit - reserved, descriptorsOpen + CONNECTIONS_MAX);
}
