/** What a connection needs of whoever executes its RESP commands. */

import type { Reply } from "./reply.ts";
import type { RespEncoder } from "./resp_encoder.ts";

/** What a session may know of its connection. */
export interface SessionConnection {
  /** Number of the connection in this process, from 1. */
  readonly id: number;
  /** Where the client is, as `host:port`. */
  readonly remoteAddress: string;
  /** Where it was reached, as `host:port`. */
  readonly localAddress: string;
}

/** The shortest way to execute the commands that there are most of. */
export interface UsualWays {
  /**
   * Answers `GET` of the key that lies in `bytes`, at once; false if {@link Session.execute} has to,
   * and nothing was written. Only while no reply is owed.
   */
  get(bytes: Uint8Array, keyStart: number, keyEnd: number, out: RespEncoder): boolean;
  /**
   * Executes `SET` of the key and value that lie in `bytes`. Returns the version, at which it counts
   * as done; below 0 if {@link Session.execute} has to do it, and nothing was done.
   */
  set(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number;
}

/** The state of one client that speaks RESP. */
export interface Session {
  /** Version of RESP in which replies from now on are written. */
  readonly protocol: 2 | 3;
  /** Whether the connection is to be closed once all replies so far are sent (`QUIT`). */
  readonly isClosing: boolean;
  /** Whether a token was sent, if one is needed: until then, commands have to be short. */
  readonly isAuthenticated?: boolean;
  /** Whether it may read, and a read is answered at once: no transaction is open. */
  readonly isPlain?: boolean;
  /**
   * Whether the replies under way hold so much memory that the next command is to wait for one of
   * them. Only true while a promise of {@link execute} is pending: it is asked again after each.
   */
  readonly isBusy?: boolean;
  /**
   * Whether a command has to wait until those before it are answered. Not asked when all of them are;
   * and asked again after each.
   */
  mustWait?(args: readonly Uint8Array[]): boolean;
  /**
   * A shorter way for the usual commands; undefined if there is none at the moment.
   *
   * @internal
   */
  readonly usual?: UsualWays | undefined;
  /**
   * Executes a command: its name and arguments, at least one. They are views that hold only until
   * this returns. Never throws or rejects for anything a client sends; a promise stands for a reply
   * that has to wait, for an fsync as a rule, and further commands may be executed meanwhile.
   */
  execute(args: readonly Uint8Array[]): Reply | Promise<Reply>;
  /** The connection is gone. */
  close(): void;
}
