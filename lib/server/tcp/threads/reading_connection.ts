/**
 * A connection on a thread that can read the store and not write to it. Reads that come while nothing
 * else of the connection is under way are answered here. From the first command on that is none, all
 * bytes go to the connection's other half on the store's thread (`relayed_connections.ts`), until that
 * has answered everything and says so. So replies come in order, a client sees what it has written, and
 * whatever is unusual is dealt with where it always is.
 */

import { ByteWindow } from "../byte_window.ts";
import { READS_RESP_2, READS_RESP_3, READS_TEXT } from "../connection_state.ts";
import { type HeldBytes, Outbox, type OutboxLimits } from "../outbox.ts";
import type { ReplyBuffer } from "../reply_buffer.ts";
import { RespParser } from "../resp/resp_parser.ts";
import type { UsualFrame } from "../resp/usual_frame.ts";
import type { TcpMetrics } from "../tcp_metrics.ts";
import { TextParser } from "../text/text_parser.ts";
import type { Transport, TransportEvents } from "../transport.ts";
import { FRAME, type FrameKind, type FrameSender, numberAt } from "./frames.ts";
import type { LocalReads } from "./local_reads.ts";
import { RELAY_WINDOW_BYTES, type RelayedClient } from "./relayed_connections.ts";

const STAR = 42;
/** Longer commands are none that are answered here. */
const COMMAND_BYTES_MAX = 4096;

/** What came of looking at the next command. */
type Step = "answered" | "begun" | "not ours";

/** What the connections of a thread share. */
export interface ReadingContext {
  sender: FrameSender;
  reads: LocalReads;
  output: ReplyBuffer;
  held: HeldBytes;
  outboxLimits: OutboxLimits;
  metrics: TcpMetrics;
  frame: UsualFrame;
  forget: (id: number) => void;
}

/** The half of a connection that has its socket. */
export class ReadingConnection implements TransportEvents {
  readonly #id: number;
  readonly #transport: Transport;
  readonly #context: ReadingContext;
  readonly #outbox: Outbox;
  readonly #window = new ByteWindow();
  readonly #textParser = new TextParser(COMMAND_BYTES_MAX);
  readonly #respParser = new RespParser({
    bulkBytesMax: COMMAND_BYTES_MAX,
    commandBytesMax: COMMAND_BYTES_MAX * 64,
  });
  /** What may be read here; only counts while it is {@link #isSettled}. */
  #readable = 0;
  /** Whether the other half owes nothing. In the beginning it has to hear of the client. */
  #isSettled = false;
  /** Chunks sent to the other half. */
  #chunks = 0;
  /** Of what waits in the outbox, bytes that are not from the other half; they are in front. */
  #ownUnsent = 0;
  /** Bytes from the other half that were taken, which it has not been told yet. */
  #takenUntold = 0;
  #ending: "end" | "close" | undefined;
  #isActive = false;
  #isGone = false;

  constructor(id: number, transport: Transport, context: ReadingContext) {
    this.#id = id;
    this.#transport = transport;
    this.#context = context;
    this.#outbox = new Outbox(transport, context.held, context.outboxLimits);
    const { remoteAddress, remoteHost, localAddress } = transport;
    const client: RelayedClient = { remoteAddress, remoteHost, localAddress };
    context.sender.send(FRAME.open, id, new TextEncoder().encode(JSON.stringify(client)));
  }

  received(chunk: Uint8Array): void {
    if (!this.#isSettled) return this.#relay(chunk, 0, chunk.length);
    this.#window.append(chunk, 0);
    this.#answer();
  }

  drained(): void {
    const before = this.#outbox.unsentBytes;
    this.#outbox.drain();
    this.#noteTaken(before - this.#outbox.unsentBytes);
  }

  ended(): void {
    this.#relayRest();
    this.#tell(FRAME.ended);
  }

  closed(): void {
    if (this.#isGone) return;
    this.#tell(FRAME.closed);
    this.#forget();
  }

  /** Takes a message of the other half. */
  told(kind: number, bytes: Uint8Array, start: number, end: number): void {
    switch (kind) {
      case FRAME.data:
        return this.#send(bytes, start, end);
      case FRAME.settled:
        this.#readable = numberAt(bytes, start + 4);
        this.#isSettled = numberAt(bytes, start) === this.#chunks;
        return;
      case FRAME.pause:
        return this.#transport.pause();
      case FRAME.resume:
        return this.#transport.resume();
      case FRAME.end:
      case FRAME.close:
        this.#isSettled = false;
        this.#ending = kind === FRAME.end ? "end" : "close";
        return this.#endIfSent();
      case FRAME.destroy:
        this.#forget();
        return this.#transport.destroy();
    }
  }

  /** To be called now and then: who only reads is not idle. */
  sweep(): void {
    if (this.#isActive) this.#tell(FRAME.active);
    this.#isActive = false;
  }

  /** Answers what can be answered here, and passes on the rest. */
  #answer(): void {
    const { output, metrics, held } = this.#context;
    const window = this.#window;
    const outbox = this.#outbox;
    // What the client does not take of what it has, it shall not be given more of.
    if (outbox.unsentBytes > 0) return this.#relayRest();
    const bytesBefore = held.sent + held.output;
    const { length } = window;
    let step: Step = "answered";
    output.begin(outbox);
    try {
      while (step === "answered" && window.length > 0 && outbox.unsentBytes === 0) {
        step = this.#step();
      }
    } finally {
      output.end();
    }
    metrics.bytesReceived += length - window.length;
    metrics.held.sent += held.sent + held.output - bytesBefore;
    this.#ownUnsent = outbox.unsentBytes;
    if (outbox.isOverflown) return this.#cut();
    if (window.length < length) this.#isActive = true;
    if (step === "begun" && window.length <= COMMAND_BYTES_MAX) window.compact();
    else this.#relayRest();
  }

  /** Answers the next command if it can. */
  #step(): Step {
    const window = this.#window;
    const { bytes, start, end } = window;
    const { reads, frame } = this.#context;
    if (bytes[start] !== STAR) {
      const parser = this.#textParser;
      if ((this.#readable & READS_TEXT) === 0) return "not ours";
      const result = parser.parse(window);
      if (result === "more") return "begun";
      if (result !== "empty" && (result !== "command" || !reads.text(parser))) return "not ours";
      parser.finish(window);
      return "answered";
    }
    const protocol = this.#readable & READS_RESP_3 ? 3 : this.#readable & READS_RESP_2 ? 2 : 0;
    if (protocol === 0) return "not ours";
    const parser = this.#respParser;
    if (frame.find(bytes, start, end)) {
      if (frame.isSet) return "not ours";
      if (!reads.get(bytes.subarray(frame.keyStart, frame.keyEnd), protocol)) return "not ours";
      parser.reset();
      window.consume(frame.end - start);
      return "answered";
    }
    const result = parser.parse(window);
    if (result === "more") return "begun";
    if (result !== "command" || !reads.resp(parser.args, protocol)) return "not ours";
    parser.finish(window);
    return "answered";
  }

  #relayRest(): void {
    const { bytes, start, end } = this.#window;
    if (start === end) return;
    this.#relay(bytes, start, end);
    this.#window.clear();
    this.#textParser.reset();
    this.#respParser.reset();
  }

  #relay(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isGone) return;
    this.#isSettled = false;
    this.#chunks = (this.#chunks + 1) >>> 0;
    this.#context.sender.send(FRAME.data, this.#id, bytes, start, end);
  }

  #send(bytes: Uint8Array, start: number, end: number): void {
    const before = this.#outbox.unsentBytes;
    this.#outbox.send(bytes, start, end, true);
    if (this.#outbox.isOverflown) return this.#cut();
    this.#noteTaken(before + end - start - this.#outbox.unsentBytes);
  }

  #noteTaken(count: number): void {
    const own = Math.min(count, this.#ownUnsent);
    this.#ownUnsent -= own;
    this.#takenUntold += count - own;
    // As long as less is untold than this, the other half is not held up by it.
    if (this.#takenUntold >= RELAY_WINDOW_BYTES / 2) {
      this.#context.sender.sendNumbers(FRAME.taken, this.#id, this.#takenUntold);
      this.#takenUntold = 0;
    }
    this.#endIfSent();
  }

  #endIfSent(): void {
    if (this.#ending === undefined || this.#outbox.unsentBytes > 0) return;
    const how = this.#ending;
    this.#ending = undefined;
    if (how === "end") this.#transport.end();
    else this.#transport.close();
  }

  #cut(): void {
    this.#context.metrics.cut.memory++;
    this.closed();
    this.#transport.destroy();
  }

  #tell(kind: FrameKind): void {
    if (!this.#isGone) this.#context.sender.send(kind, this.#id);
  }

  #forget(): void {
    this.#isGone = true;
    this.#isSettled = false;
    this.#outbox.close();
    this.#window.clear();
    this.#context.forget(this.#id);
  }
}
