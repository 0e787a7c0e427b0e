/** A reply that a connection owes, or the replies to sets that were one behind the other. */

import type { Span } from "@opentelemetry/api";
import type { Reply } from "./resp/reply.ts";
import type { TextReply } from "./text/text_reply.ts";

/** Version of RESP, or 0 for the text protocol. */
export type ReplyProtocol = 0 | 2 | 3;
/** A reply in one of the protocols. */
export type AnyReply = Reply | TextReply;

/** Who owes replies. */
export interface ReplyOwner {
  /** Replies to sets are known. */
  setsEnded(): void;
  /** The reply to a command that has failed in a way which its protocol has an answer for. */
  refusal(protocol: ReplyProtocol, error: unknown): AnyReply;
}

/** The place of a reply. */
export class OwedReply {
  readonly owner: ReplyOwner;
  readonly command: number;
  readonly protocol: ReplyProtocol;
  readonly startedAt: number;
  /** Ended when the reply is written; undefined while nobody collects spans. */
  span: Span | undefined;
  /** Undefined until it is known; of sets, the reply to those that are not done. */
  reply: AnyReply | undefined;
  /** Versions of the sets whose replies these are; 0 for another command. */
  readonly firstVersion: number;
  lastVersion: number;
  /** How many of the sets are done; -1 until that is known, and for another command. */
  done = -1;

  constructor(
    owner: ReplyOwner,
    command: number,
    protocol: ReplyProtocol,
    startedAt: number,
    version = 0,
  ) {
    this.owner = owner;
    this.command = command;
    this.protocol = protocol;
    this.startedAt = startedAt;
    this.firstVersion = version;
    this.lastVersion = version;
  }

  /** How many commands it answers. */
  get count(): number {
    return this.lastVersion - this.firstVersion + 1;
  }

  /** Whether it can be written. */
  get isKnown(): boolean {
    return this.reply !== undefined || this.done >= 0;
  }

  /** Takes a set whose version and circumstances follow those of the last; false if they do not. */
  extend(command: number, protocol: ReplyProtocol, startedAt: number, version: number): boolean {
    if (
      this.done >= 0 || version !== this.lastVersion + 1 || this.firstVersion === 0 ||
      command !== this.command || protocol !== this.protocol || startedAt !== this.startedAt
    ) return false;
    this.lastVersion = version;
    return true;
  }
}
