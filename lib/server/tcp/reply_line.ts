/** Replies of one connection, sent in the order of its commands, whichever is known first. */

import type { Span } from "@opentelemetry/api";
import { endCommand } from "../telemetry/tracing.ts";
import { commandName, type CommandResult } from "./command_counts.ts";
import type { ConnectionContext } from "./connection_context.ts";
import { type AnyReply, OwedReply, type ReplyOwner, type ReplyProtocol } from "./owed_reply.ts";
import type { Reply } from "./resp/reply.ts";
import type { SessionConnection } from "./resp/session.ts";
import { OK_BYTES as RESP_OK } from "./resp/resp_encoder.ts";
import { failureReply, OK_BYTES as TEXT_OK, type TextReply } from "./text/text_reply.ts";
import { hostOf } from "./transport.ts";

/** Places taken are removed when there are so many of them. */
const TAKEN_MAX = 1024;
const INTERNAL_ERROR: Reply = (out) => out.error("ERR internal error; the server's log has it");

/** The replies that a connection owes. */
export class ReplyLine implements ReplyOwner {
  /** How many replies are owed. */
  length = 0;

  readonly #context: ConnectionContext;
  readonly #connection: SessionConnection;
  readonly #onReady: () => void;
  #owed: OwedReply[] = [];
  #head = 0;
  #isReadyTold = false;
  /** Of the command whose reply is to be added next. */
  #span: Span | undefined;

  /** `onReady` is called soon after replies became known; then {@link writeReady}. */
  constructor(context: ConnectionContext, connection: SessionConnection, onReady: () => void) {
    this.#context = context;
    this.#connection = connection;
    this.#onReady = onReady;
  }

  /** The protocol of those that are owed; undefined if there are none. All are of the same. */
  get isResp(): boolean | undefined {
    const owed = this.#owed[this.#head];
    return owed === undefined ? undefined : owed.protocol !== 0;
  }

  /** Executes a command, whose reply is to be added next, within a span while somebody wants those. */
  traced<Result>(command: number, protocol: "text" | "resp", execute: () => Result): Result {
    const { tracing } = this.#context;
    if (!tracing.enabled) return execute();
    const name = commandName(command).toUpperCase();
    const host = hostOf(this.#connection.remoteAddress);
    const { span, context } = tracing.beginCommand(name, protocol, host);
    this.#span = span;
    return tracing.run(context, execute);
  }

  /** Takes a reply, and writes it at once if none before it is owed. */
  add(
    command: number,
    protocol: ReplyProtocol,
    reply: AnyReply | Promise<AnyReply>,
    startedAt: number,
  ): void {
    const span = this.#span;
    this.#span = undefined;
    if (!(reply instanceof Promise) && this.length === 0) {
      return this.#write(command, protocol, reply, span);
    }
    const owed = this.#push(new OwedReply(this, command, protocol, startedAt));
    owed.span = span;
    if (!(reply instanceof Promise)) {
      owed.reply = reply;
      return;
    }
    reply.then(
      (known) => this.#settle(owed, known),
      (error) => this.#settle(owed, this.failure(protocol, error)),
    );
  }

  /** Takes a set, which is answered with OK once its version counts as done. */
  addSet(command: number, protocol: ReplyProtocol, version: number, startedAt: number): void {
    const { sets } = this.#context;
    if (sets.isDone(version)) {
      sets.countDone();
      if (this.length === 0) return this.#writeDone(command, protocol, 1);
      this.#push(new OwedReply(this, command, protocol, startedAt, version)).done = 1;
    } else if (this.#owed.at(-1)?.extend(command, protocol, startedAt, version) === true) {
      this.length++;
    } else {
      sets.add(this.#push(new OwedReply(this, command, protocol, startedAt, version)));
    }
  }

  /** Writes the replies that are known, up to the first that is not. */
  writeReady(now: number): void {
    let owed = this.#owed[this.#head];
    while (owed?.isKnown) {
      this.#head++;
      const durationMs = now - owed.startedAt;
      if (durationMs >= this.#context.slowRequestMs) this.#noteSlow(owed.command, durationMs);
      this.#writeOwed(owed);
      owed = this.#owed[this.#head];
    }
    if (owed === undefined) {
      this.#owed.length = 0;
      this.#head = 0;
    } else if (this.#head >= TAKEN_MAX) {
      this.#owed.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** The reply to a command with which something went wrong that nobody expected. */
  failure(protocol: ReplyProtocol, error: unknown): AnyReply {
    this.#context.text.onFailure(error);
    return protocol === 0 ? failureReply(undefined) : INTERNAL_ERROR;
  }

  refusal(protocol: ReplyProtocol, error: unknown): AnyReply {
    return protocol === 0 ? failureReply(error) : this.#context.respRefusal(error);
  }

  setsEnded(): void {
    this.#onReady();
  }

  /** Owes nothing any more. */
  clear(): void {
    for (let at = this.#head; at < this.#owed.length; at++) this.#owed[at]!.span?.end();
    this.#owed = [];
    this.#head = 0;
    this.length = 0;
  }

  #push(owed: OwedReply): OwedReply {
    this.#owed.push(owed);
    this.length++;
    return owed;
  }

  #settle(owed: OwedReply, reply: AnyReply): void {
    owed.reply = reply;
    if (this.#isReadyTold) return;
    this.#isReadyTold = true;
    // Behind the others that became known by the same fsync, so that one write takes them all.
    queueMicrotask(() => {
      this.#isReadyTold = false;
      this.#onReady();
    });
  }

  #writeOwed({ command, protocol, count, done, reply, span }: OwedReply): void {
    this.length -= count;
    if (done > 0) this.#writeDone(command, protocol, done);
    if (reply === undefined) return;
    for (let rest = count - Math.max(0, done); rest > 0; rest--) {
      this.#write(command, protocol, reply, span);
    }
  }

  #writeDone(command: number, protocol: ReplyProtocol, count: number): void {
    const { output, metrics } = this.#context;
    output.repeat(protocol === 0 ? TEXT_OK : RESP_OK, count);
    metrics.commands.add(command, "ok", count);
  }

  #write(command: number, protocol: ReplyProtocol, reply: AnyReply, span?: Span): void {
    const { output, encoder, metrics } = this.#context;
    let result: CommandResult;
    if (protocol === 0) result = (reply as TextReply)(output);
    else {
      encoder.begin(protocol);
      (reply as Reply)(encoder);
      result = encoder.isError ? "error" : "ok";
    }
    metrics.commands.add(command, result);
    if (span !== undefined) endCommand(span, result === "error");
  }

  #noteSlow(command: number, durationMs: number): void {
    this.#context.logger.warn("{command} was slow: {durationMs} ms", {
      command: commandName(command),
      durationMs: Math.round(durationMs * 1000) / 1000,
      connection: this.#connection.id,
    });
  }
}
