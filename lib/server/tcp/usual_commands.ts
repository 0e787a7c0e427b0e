/**
 * The shortest way of the commands that there are most of: `GET key` and `SET key value` of RESP, in
 * a connection that has nothing unusual about it. They are found and executed where they lie in the
 * buffer, and nothing is allocated for them. What this does not do it leaves alone, for the parser and
 * the session, which do the same and know of every limit and error.
 *
 * With 64 clients and pipelines of 16, a GET took 5.0 µs of CPU without this, and a SET 4.2 µs.
 */

import type { ByteWindow } from "./byte_window.ts";
import { respCommand, textCommand } from "./command_counts.ts";
import type { TcpLimits } from "./connection_context.ts";
import type { ReplyBuffer } from "./reply_buffer.ts";
import type { ReplyLine } from "./reply_line.ts";
import type { RespEncoder } from "./resp/resp_encoder.ts";
import type { Session } from "./resp/session.ts";
import { UsualFrame } from "./resp/usual_frame.ts";
import type { TcpMetrics } from "./tcp_metrics.ts";
import type { TextParser } from "./text/text_parser.ts";
import type { TextSession } from "./text/text_session.ts";

/** Longer values are not worth a way of their own. */
const ARGUMENT_BYTES_MAX = 32 << 10;
/** What the parser counts for a command beside its arguments, and more. */
const OVERHEAD_BYTES = 1024;

const utf8 = new TextEncoder();
const GET = respCommand(utf8.encode("get"));
const SET = respCommand(utf8.encode("set"));
const TEXT_GET = textCommand("GET");
const TEXT_SET = textCommand("SET");

/** The way, for all connections of a server. */
export class UsualCommands {
  readonly #frame: UsualFrame;
  readonly #output: ReplyBuffer;
  readonly #encoder: RespEncoder;
  readonly #metrics: TcpMetrics;

  constructor(
    { valueBytesMax, commandBytesMax }: TcpLimits,
    output: ReplyBuffer,
    encoder: RespEncoder,
    metrics: TcpMetrics,
  ) {
    const room = Math.floor(commandBytesMax / 2) - OVERHEAD_BYTES;
    this.#frame = new UsualFrame(Math.min(ARGUMENT_BYTES_MAX, valueBytesMax, room));
    this.#output = output;
    this.#encoder = encoder;
    this.#metrics = metrics;
  }

  /** Executes a command of the text protocol; false if it has to be done otherwise. */
  stepText(
    parser: TextParser,
    session: TextSession,
    replies: ReplyLine,
    turnStartedAt: number,
  ): boolean {
    if (parser.name === "SET") {
      const version = session.setNow(parser);
      if (version < 0) return false;
      replies.addSet(TEXT_SET, 0, version, turnStartedAt);
      return true;
    }
    if (parser.name !== "GET" || replies.length > 0) return false;
    const result = session.getNow(parser, this.#output);
    if (result === undefined) return false;
    this.#metrics.commands.add(TEXT_GET, result);
    return true;
  }

  /** Executes the command with which the window begins; false if it has to be done otherwise. */
  stepResp(
    window: ByteWindow,
    session: Session,
    replies: ReplyLine,
    turnStartedAt: number,
  ): boolean {
    const ways = session.usual;
    if (ways === undefined) return false;
    const frame = this.#frame;
    const { bytes, start, end } = window;
    if (!frame.find(bytes, start, end)) return false;
    const { isSet, keyStart, keyEnd, valueStart, valueEnd } = frame;
    if (isSet) {
      if (replies.isResp === false) return false;
      const version = ways.set(bytes, keyStart, keyEnd, valueStart, valueEnd);
      if (version < 0) return false;
      replies.addSet(SET, session.protocol, version, turnStartedAt);
    } else {
      if (replies.length > 0 || !ways.get(bytes, keyStart, keyEnd, this.#encoder)) return false;
      this.#metrics.commands.add(GET, "ok");
    }
    window.consume(frame.end - start);
    return true;
  }
}
