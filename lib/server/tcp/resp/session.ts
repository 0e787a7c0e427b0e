/** What a connection needs of whoever executes its RESP commands. */

import type { Reply } from "./reply.ts";

/** What a session may know of its connection. */
export interface SessionConnection {
  /** Number of the connection in this process, from 1. */
  readonly id: number;
  /** Where the client is, as `host:port`. */
  readonly remoteAddress: string;
  /** Where it was reached, as `host:port`. */
  readonly localAddress: string;
}

/** The state of one client that speaks RESP. */
export interface Session {
  /** Version of RESP in which replies from now on are written. */
  readonly protocol: 2 | 3;
  /** Whether the connection is to be closed once all replies so far are sent (`QUIT`). */
  readonly isClosing: boolean;
  /** Whether a token was sent, if one is needed: until then, commands have to be short. */
  readonly isAuthenticated?: boolean;
  /**
   * Whether the replies under way hold so much memory that the next command is to wait for one of
   * them. Only true while a promise of {@link execute} is pending: it is asked again after each.
   */
  readonly isBusy?: boolean;
  /**
   * Executes a command: its name and arguments, at least one. They are views that hold only until
   * this returns. Never throws or rejects for anything a client sends; a promise stands for a reply
   * that has to wait, for an fsync as a rule, and further commands may be executed meanwhile.
   */
  execute(args: readonly Uint8Array[]): Reply | Promise<Reply>;
  /** The connection is gone. */
  close(): void;
}
