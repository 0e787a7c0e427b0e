/**
 * One connection, whatever carries it: bytes in, bytes out. The first byte of each command decides
 * which protocol it is in. Replies leave in the order of the commands, and those of one turn of the
 * event loop by one write. What a client sends too fast stays with it: while too many of its commands
 * wait, or too much of its replies, nothing more of it is read.
 */

import { ByteWindow } from "./byte_window.ts";
import { respCommand, textCommand } from "./command_counts.ts";
import type { ConnectionContext } from "./connection_context.ts";
import { type Protocol, readsElsewhere, type State } from "./connection_state.ts";
import { Outbox } from "./outbox.ts";
import { Pace } from "./pace.ts";
import type { ProtocolError } from "./protocol_error.ts";
import type { AnyReply, ReplyProtocol } from "./owed_reply.ts";
import { ReplyLine } from "./reply_line.ts";
import type { Reply } from "./resp/reply.ts";
import { RespParser } from "./resp/resp_parser.ts";
import type { Session, SessionConnection } from "./resp/session.ts";
import type { CutReason } from "./tcp_metrics.ts";
import { TextParser } from "./text/text_parser.ts";
import { errorReply } from "./text/text_reply.ts";
import { TextSession } from "./text/text_session.ts";
import type { Transport, TransportEvents } from "./transport.ts";

const STAR = 42;
/** Commands of one connection that are executed before others have their turn. */
const COMMANDS_PER_TURN = 1024;
/** Unconsumed bytes from which on nothing more is read while commands are held back. */
const BACKLOG_BYTES = 64 << 10;
/** A client that was told the end has so long to take what it was sent. */
const LINGER_MS = 2000;
const NO_NAME = new Uint8Array(0);

/** A connection. */
export class Connection implements TransportEvents, SessionConnection {
  readonly id: number;
  readonly remoteAddress: string;
  readonly localAddress: string;

  readonly #context: ConnectionContext;
  readonly #transport: Transport;
  readonly #onClosed: (connection: Connection) => void;
  readonly #window = new ByteWindow();
  readonly #outbox: Outbox;
  readonly #replies: ReplyLine;
  readonly #pace: Pace;
  readonly #textParser: TextParser;
  readonly #respParser: RespParser;
  readonly #text: TextSession;
  #session: Session | undefined;
  #state: State = "open";
  /** Protocol of the command that has begun. */
  #begun: Protocol | undefined;
  /** Whether the command that is next has to wait. */
  #isHeld = false;
  #isPaused = false;
  #hasEnded = false;
  #turnStartedAt = 0;
  #inputHeld = 0;

  /** `onClosed` is called once, when it is gone. */
  constructor(
    id: number,
    transport: Transport,
    context: ConnectionContext,
    onClosed: (connection: Connection) => void,
  ) {
    this.id = id;
    this.remoteAddress = transport.remoteAddress;
    this.localAddress = transport.localAddress;
    this.#transport = transport;
    this.#context = context;
    this.#onClosed = onClosed;
    const { limits, held, text, clock } = context;
    this.#outbox = new Outbox(transport, held, limits);
    this.#textParser = new TextParser(limits.valueBytesMax);
    const { valueBytesMax: bulkBytesMax, commandBytesMax } = limits;
    this.#respParser = new RespParser({ bulkBytesMax, commandBytesMax });
    this.#text = new TextSession(text, transport.remoteHost);
    this.#replies = new ReplyLine(context, this, () => this.#turn());
    this.#pace = new Pace(limits, clock.monotonic());
  }

  /** Whether replies are to be sent, or commands may come. */
  get isAnswering(): boolean {
    return this.#state === "open" || this.#state === "closing";
  }

  /** Whether all that came is executed, answered and sent. */
  get isSettled(): boolean {
    return this.#state === "open" && !this.#isHeld && !this.#hasEnded &&
      this.#window.length === 0 &&
      this.#outbox.unsentBytes === 0 && !this.#hasTooMuchUnderWay() && this.#replies.length === 0;
  }

  /** What of this client other threads may read, while it is settled. */
  get readsElsewhere(): number {
    return readsElsewhere(this.#context, this.#text, this.#session);
  }

  received(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#context.metrics.bytesReceived += chunk.length;
    this.#pace.isActive = true;
    this.#window.append(chunk, this.#lengthExpected());
    if (this.#isHeld) {
      if (this.#window.length > BACKLOG_BYTES) this.#pause();
      return;
    }
    this.#turn();
  }

  drained(): void {
    this.#pace.isActive = true;
    this.#outbox.drain();
    if (this.#outbox.unsentBytes === 0) this.#pace.allSent();
    this.#turn();
  }

  ended(): void {
    this.#hasEnded = true;
    if (this.#state === "lingering") this.#transport.close();
    else if (!this.#isHeld) this.#turn();
  }

  closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#replies.clear();
    this.#outbox.close();
    this.#window.clear();
    this.#countInput();
    this.#session?.close();
    this.#text.close();
    this.#onClosed(this);
  }

  /** Executes nothing more, and closes when what was executed is answered. */
  stop(): void {
    this.#stopReading();
    this.#turn();
  }

  /** Cuts it off. */
  destroy(): void {
    this.#transport.destroy();
    // Not every transport tells of what was done to it.
    this.closed();
  }

  /** Ends it if its time is over. */
  sweep(now: number): void {
    const pace = this.#pace;
    if (this.#state === "lingering") {
      if (pace.idleMs(now) > LINGER_MS) this.destroy();
      return;
    }
    const { unsentBytes } = this.#outbox;
    pace.taken = this.#outbox.taken;
    const problem = pace.check(now, {
      isOwed: this.#replies.length > 0 || unsentBytes > 0,
      unsentBytes,
      commandBytes: this.#isHeld || this.#inputHeld === 0 ? 0 : this.#window.length,
    });
    if (problem === "idle") this.#cut("idle", "it has sent nothing for long");
    else if (problem === "takes slowly") this.#cut("slow", "it takes replies too slowly");
    else if (problem === "sends slowly") this.#cut("slow", "it sends a command too slowly");
  }

  /** Sends what is known of the replies, and executes what there is of commands. */
  #turn(): void {
    if (this.#state === "closed" || this.#state === "lingering") return;
    const { output, clock } = this.#context;
    this.#turnStartedAt = clock.monotonic();
    output.begin(this.#outbox);
    try {
      this.#replies.writeReady(this.#turnStartedAt);
      this.#executeAll();
    } catch (error) {
      // A reply that did not write itself as it should: what follows would be taken for another.
      this.#context.text.onFailure(error);
      this.destroy();
    } finally {
      output.end();
    }
    if (this.#isClosed()) return;
    if (this.#outbox.isOverflown) return this.#cut("memory", "it does not take its replies");
    this.#window.compact();
    this.#countInput();
    if (this.#context.held.input > this.#context.limits.inputBytesHeldMax && this.#isTooMuch()) {
      return this.#cut("memory", "unfinished commands hold as much memory as they may");
    }
    if (this.#state === "open" && this.#hasEnded && !this.#isHeld) this.#stopReading();
    if (this.#state === "closing") this.#finish();
    else if (!this.#isHeld) this.#resume();
    else if (this.#window.length > BACKLOG_BYTES) this.#pause();
    this.#transport.turned?.(this);
  }

  #executeAll(): void {
    this.#isHeld = false;
    let executed = 0;
    while (this.#state === "open" && this.#window.length > 0) {
      if (executed === COMMANDS_PER_TURN) {
        this.#isHeld = true;
        this.#context.clock.defer(() => this.#turn());
        return;
      }
      if (this.#hasTooMuchUnderWay()) {
        this.#isHeld = true;
        return;
      }
      if (this.#begun === undefined && this.#stepUsual()) {
        executed++;
        continue;
      }
      this.#begun ??= this.#window.bytes[this.#window.start] === STAR ? "resp" : "text";
      const goesOn = this.#begun === "resp" ? this.#stepResp() : this.#stepText();
      if (!goesOn) return;
      executed++;
    }
  }

  #hasTooMuchUnderWay(): boolean {
    const { commandsInFlightMax, outputBytesCalm } = this.#context.limits;
    return this.#replies.length >= commandsInFlightMax || this.#session?.isBusy === true ||
      this.#outbox.unsentBytes > outputBytesCalm;
  }

  /** Executes a command that is nothing but usual; returns whether there was one. */
  #stepUsual(): boolean {
    const session = this.#session;
    if (session === undefined) return false;
    const { usual } = this.#context;
    if (!usual.stepResp(this.#window, session, this.#replies, this.#turnStartedAt)) return false;
    this.#pace.commandEnded();
    return true;
  }

  /** Returns whether the next command may be looked at. */
  #stepText(): boolean {
    const parser = this.#textParser;
    parser.isRestricted = this.#text.isRestricted;
    const result = parser.parse(this.#window);
    if (result === "more") return false;
    if (typeof result === "object") return this.#refuse("text", result);
    if (result === "command") {
      const { name } = parser;
      if (this.#mustWait("text") || this.#text.mustWait(name)) {
        this.#isHeld = true;
        return false;
      }
      this.#pace.commandEnded();
      const { usual } = this.#context;
      if (!usual.stepText(parser, this.#text, this.#replies, this.#turnStartedAt)) {
        const command = textCommand(name);
        const execute = () => this.#text.execute(parser);
        this.#take(command, 0, this.#replies.traced(command, "text", execute));
      }
    }
    parser.finish(this.#window);
    this.#begun = undefined;
    return true;
  }

  #stepResp(): boolean {
    const parser = this.#respParser;
    const session = this.#session ??= this.#context.createSession(this);
    parser.isRestricted = session.isAuthenticated === false;
    const result = parser.parse(this.#window);
    if (result === "more") return false;
    if (typeof result === "object") return this.#refuse("resp", result);
    if (result === "command") {
      const mustWait = this.#replies.length > 0 && session.mustWait?.(parser.args) === true;
      if (mustWait || this.#mustWait("resp")) {
        this.#isHeld = true;
        return false;
      }
      this.#pace.commandEnded();
      const command = respCommand(parser.args[0]!);
      const execute = () => this.#executeResp(session, parser.args);
      const reply = this.#replies.traced(command, "resp", execute);
      this.#take(command, session.protocol, reply);
    }
    parser.finish(this.#window);
    this.#begun = undefined;
    if (session.isClosing) this.#stopReading();
    return true;
  }

  #executeResp(
    session: Session,
    args: readonly Uint8Array[],
  ): AnyReply | Promise<AnyReply> {
    try {
      return session.execute(args);
    } catch (error) {
      return this.#replies.failure(2, error);
    }
  }

  /** Whether commands of the other protocol are to be answered: neither knows what the other does. */
  #mustWait(protocol: Protocol): boolean {
    const isResp = this.#replies.isResp;
    return isResp !== undefined && isResp !== (protocol === "resp");
  }

  #take(command: number, protocol: ReplyProtocol, reply: AnyReply | Promise<AnyReply>): void {
    this.#replies.add(command, protocol, reply, this.#turnStartedAt);
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Answers what makes no sense, and closes: nobody knows where the next command begins. */
  #refuse(protocol: Protocol, { message, code = "BadCommand", isSilent }: ProtocolError): false {
    const { metrics, logger } = this.#context;
    const reason: CutReason = isSilent ? "http" : "protocol";
    metrics.cut[reason]++;
    logger.debug("Closing connection {connection} from {address}: {reason}", {
      connection: this.id,
      address: this.remoteAddress,
      reason: isSilent ? "it speaks HTTP" : message,
    });
    if (!isSilent) {
      if (protocol === "text") this.#take(textCommand(""), 0, errorReply(code, message));
      else {
        const version = this.#session?.protocol ?? 2;
        const reply: Reply = (out) => out.error(`ERR ${message}`);
        this.#take(respCommand(NO_NAME), version, reply);
      }
    }
    this.#stopReading();
    return false;
  }

  #stopReading(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#isHeld = false;
    this.#window.clear();
    this.#countInput();
  }

  /** Closes once everything is answered and sent. */
  #finish(): void {
    if (this.#replies.length > 0 || this.#outbox.unsentBytes > 0) {
      this.#resume(); // or nobody would learn that the client has gone
      return;
    }
    this.#state = "lingering";
    this.#pace.isActive = true;
    this.#transport.end();
    // Closed while it still sends, it might be reset before it has read what was sent to it.
    if (this.#hasEnded) this.#transport.close();
    else this.#resume();
  }

  #cut(reason: CutReason, why: string): void {
    const { metrics, logger } = this.#context;
    metrics.cut[reason]++;
    const properties = { connection: this.id, address: this.remoteAddress, reason: why };
    const message = "Closing connection {connection} from {address}: {reason}";
    if (reason === "idle") logger.debug(message, properties);
    else logger.warn(message, properties);
    this.destroy();
  }

  #lengthExpected(): number {
    if (this.#begun === undefined) return 0;
    return (this.#begun === "resp" ? this.#respParser : this.#textParser).lengthExpected;
  }

  /** Takes account of what the unfinished command holds, unless it is little. */
  #countInput(): void {
    const { held } = this.#window;
    const counted = held > BACKLOG_BYTES ? held : 0;
    this.#context.held.input += counted - this.#inputHeld;
    this.#inputHeld = counted;
  }

  /** One is let in whatever its length, since the length of one has a limit of its own. */
  #isTooMuch(): boolean {
    return this.#inputHeld > 0 && this.#inputHeld < this.#context.held.input;
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#transport.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#transport.resume();
  }
}
