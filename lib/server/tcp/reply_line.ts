/** Replies of one connection, sent in the order of its commands, whichever is known first. */

import { commandName } from "./command_counts.ts";
import type { ConnectionContext } from "./connection_context.ts";
import type { Reply } from "./resp/reply.ts";
import { failureReply, type TextReply } from "./text/text_reply.ts";

/** Version of RESP, or 0 for the text protocol. */
export type ReplyProtocol = 0 | 2 | 3;
/** A reply in one of the protocols. */
export type AnyReply = Reply | TextReply;

/** The place of a reply. */
interface Slot {
  readonly command: number;
  readonly protocol: ReplyProtocol;
  readonly startedAt: number;
  /** Undefined until it is known. */
  reply: AnyReply | undefined;
}

/** Places taken are removed when there are so many of them. */
const TAKEN_MAX = 1024;
const INTERNAL_ERROR: Reply = (out) => out.error("ERR internal error; the server's log has it");

/** The replies that a connection owes. */
export class ReplyLine {
  readonly #context: ConnectionContext;
  readonly #connection: number;
  readonly #onReady: () => void;
  #slots: Slot[] = [];
  #head = 0;
  #isReadyTold = false;

  /** `onReady` is called soon after replies became known; then {@link writeReady}. */
  constructor(context: ConnectionContext, connection: number, onReady: () => void) {
    this.#context = context;
    this.#connection = connection;
    this.#onReady = onReady;
  }

  /** Replies that are owed. */
  get length(): number {
    return this.#slots.length - this.#head;
  }

  /** The protocol of those that are owed; undefined if there are none. All are of the same. */
  get isResp(): boolean | undefined {
    const slot = this.#slots[this.#head];
    return slot === undefined ? undefined : slot.protocol !== 0;
  }

  /** Takes a reply, and writes it at once if none before it is owed. */
  add(
    command: number,
    protocol: ReplyProtocol,
    reply: AnyReply | Promise<AnyReply>,
    startedAt: number,
  ): void {
    if (!(reply instanceof Promise)) {
      if (this.length === 0) this.#write(command, protocol, reply);
      else this.#slots.push({ command, protocol, startedAt, reply });
      return;
    }
    const slot: Slot = { command, protocol, startedAt, reply: undefined };
    this.#slots.push(slot);
    reply.then(
      (known) => this.#settle(slot, known),
      (error) => this.#settle(slot, this.failure(protocol, error)),
    );
  }

  /** Writes the replies that are known, up to the first that is not. */
  writeReady(now: number): void {
    let slot = this.#slots[this.#head];
    while (slot?.reply !== undefined) {
      this.#head++;
      const durationMs = now - slot.startedAt;
      if (durationMs >= this.#context.slowRequestMs) this.#noteSlow(slot.command, durationMs);
      this.#write(slot.command, slot.protocol, slot.reply);
      slot = this.#slots[this.#head];
    }
    if (slot === undefined) {
      this.#slots.length = 0;
      this.#head = 0;
    } else if (this.#head >= TAKEN_MAX) {
      this.#slots.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** The reply to a command with which something went wrong that nobody expected. */
  failure(protocol: ReplyProtocol, error: unknown): AnyReply {
    this.#context.text.onFailure(error);
    return protocol === 0 ? failureReply(undefined) : INTERNAL_ERROR;
  }

  /** Owes nothing any more. */
  clear(): void {
    this.#slots = [];
    this.#head = 0;
  }

  #settle(slot: Slot, reply: AnyReply): void {
    slot.reply = reply;
    if (this.#isReadyTold) return;
    this.#isReadyTold = true;
    // Behind the others that became known by the same fsync, so that one write takes them all.
    queueMicrotask(() => {
      this.#isReadyTold = false;
      this.#onReady();
    });
  }

  #write(command: number, protocol: ReplyProtocol, reply: AnyReply): void {
    const { output, encoder, metrics } = this.#context;
    if (protocol === 0) {
      metrics.commands.add(command, (reply as TextReply)(output));
      return;
    }
    encoder.begin(protocol);
    (reply as Reply)(encoder);
    metrics.commands.add(command, encoder.isError ? "error" : "ok");
  }

  #noteSlow(command: number, durationMs: number): void {
    this.#context.logger.warn("{command} was slow: {durationMs} ms", {
      command: commandName(command),
      durationMs: Math.round(durationMs * 1000) / 1000,
      connection: this.#connection,
    });
  }
}
