/** What the connections of one server share. */

import type { Clock } from "../../clock.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { HeldBytes } from "./outbox.ts";
import type { ReplyBuffer } from "./reply_buffer.ts";
import type { Reply } from "./resp/reply.ts";
import type { RespEncoder } from "./resp/resp_encoder.ts";
import type { Session, SessionConnection } from "./resp/session.ts";
import type { SetsInFlight } from "./sets_in_flight.ts";
import type { TcpMetrics } from "./tcp_metrics.ts";
import type { TextSessionContext } from "./text/text_session.ts";
import type { UsualCommands } from "./usual_commands.ts";

/** Limits of a server and its connections. */
export interface TcpLimits {
  /** Connections at once. */
  clientsMax: number;
  /** Longest value, or argument of RESP, in bytes. */
  valueBytesMax: number;
  /** All of a command in bytes, with what its arguments take in memory. */
  commandBytesMax: number;
  /** Commands of a connection that may wait for their replies. */
  commandsInFlightMax: number;
  /** Bytes of unfinished commands over 64 KiB, of all connections. */
  inputBytesHeldMax: number;
  /** Bytes of long values that are read at once, for all connections; a longer one is read alone. */
  longReadBytesMax: number;
  /** Unsent bytes of a connection's replies from which on nothing more of it is executed. */
  outputBytesCalm: number;
  /** Unsent bytes at which it is cut off. */
  outputBytesMax: number;
  /** Unsent bytes of all connections. */
  outputBytesHeldMax: number;
  /** After so many milliseconds without a byte a connection is closed; 0 for never. */
  idleMs: number;
  /** The same before the first whole command. */
  firstCommandMs: number;
  /** A client that takes or sends too slowly has so many milliseconds nevertheless. */
  stallMs: number;
  /** Bytes a second that are fast enough. */
  bytesPerSecondMin: number;
}

/** Makes the session of a connection that speaks RESP. */
export type SessionFactory = (connection: SessionConnection) => Session;

/** What a connection works with. */
export interface ConnectionContext {
  limits: TcpLimits;
  clock: Clock;
  logger: Logger;
  metrics: TcpMetrics;
  held: HeldBytes;
  output: ReplyBuffer;
  encoder: RespEncoder;
  text: TextSessionContext;
  createSession: SessionFactory;
  /** Sets that are not answered yet. */
  sets: SetsInFlight;
  usual: UsualCommands;
  tracing: Tracing;
  /** What RESP answers to a command that has failed. */
  respRefusal: (error: unknown) => Reply;
  /** Commands that take so many milliseconds or longer are logged as slow. */
  slowRequestMs: number;
}
