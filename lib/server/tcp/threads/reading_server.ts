/** The TCP service of a thread that reads the store which another thread has open. */

import { type Clock, type ScheduledTask, systemClock } from "../../../clock.ts";
import {
  KEY_BYTES_MAX_DEFAULT,
  TCP_OUTPUT_BYTES_HELD_MAX,
  VALUE_BYTES_MAX_DEFAULT,
} from "../../../limits.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import type { TlsFiles } from "../../tls_files.ts";
import { listenOn, type SocketListener } from "../listen.ts";
import type { HeldBytes } from "../outbox.ts";
import { ReplyBuffer } from "../reply_buffer.ts";
import { UsualFrame } from "../resp/usual_frame.ts";
import { TcpMetrics } from "../tcp_metrics.ts";
import type { TcpListenOptions } from "../tcp_server.ts";
import type { Transport, TransportEvents } from "../transport.ts";
import { FRAME, FrameSender, receiveFrames, type ThreadPort } from "./frames.ts";
import { type LocalReader, LocalReads } from "./local_reads.ts";
import { ReadingConnection, type ReadingContext } from "./reading_connection.ts";

const SWEEP_MS = 1000;
const COUNTS_MS = 100;
const KEY_BYTES_MAX = 4096;

/** What a {@link ReadingServer} works with. */
export interface ReadingServerOptions {
  reader: LocalReader;
  /** Leads to `TcpServer.host` on the thread that has the store. */
  port: ThreadPort;
  telemetry: Telemetry;
  /** Share of this thread in the memory for replies that wait for slow readers: a number up to 1. */
  share: number;
  clock?: Clock;
}

/** Listens, answers what it can by reading, and passes on the rest. */
export class ReadingServer {
  readonly #context: ReadingContext;
  readonly #clock: Clock;
  readonly #connections = new Map<number, ReadingConnection>();
  #listener: SocketListener | undefined;
  #nextId = 1;
  #sweep: ScheduledTask | undefined;
  #counting: ScheduledTask | undefined;

  constructor({ reader, port, telemetry, share, clock = systemClock }: ReadingServerOptions) {
    this.#clock = clock;
    const metrics = new TcpMetrics();
    telemetry.metrics.add(...metrics.metrics());
    const output = new ReplyBuffer();
    const sender = new FrameSender(port, clock);
    const limits = { keyBytesMax: KEY_BYTES_MAX_DEFAULT, valueBytesMax: VALUE_BYTES_MAX_DEFAULT };
    const gets = telemetry.operations.counts.get;
    const held = Math.floor(TCP_OUTPUT_BYTES_HELD_MAX * share);
    this.#context = {
      sender,
      output,
      metrics,
      reads: new LocalReads({ reader, output, metrics, gets, limits, clock }),
      held: heldBytes(metrics.held),
      outboxLimits: { outputBytesMax: held, outputBytesHeldMax: held },
      frame: new UsualFrame(KEY_BYTES_MAX),
      forget: (id) => this.#connections.delete(id),
    };
    receiveFrames(port, (kind, id, bytes, start, end) => {
      this.#connections.get(id)?.told(kind, bytes, start, end);
    });
  }

  /** As {@link TcpServer.listen}, on a port that other threads listen on too. */
  async listen({ hostname = "127.0.0.1", port = 0, tls }: TcpListenOptions): Promise<void> {
    const accept = (transport: Transport) => this.accept(transport);
    this.#listener = await listenOn({ hostname, port, tls, accept, reusePort: true });
  }

  /** Takes a connection. Whether there are too many is for the thread with the store to say. */
  accept(transport: Transport): TransportEvents {
    const id = this.#nextId++;
    const connection = new ReadingConnection(id, transport, this.#context);
    this.#connections.set(id, connection);
    this.#sweep ??= this.#sweepLater();
    this.#counting ??= this.#countLater();
    return connection;
  }

  /** As {@link TcpServer.renew}. */
  renew(tls: TlsFiles): void {
    this.#listener?.renew(tls);
  }

  /** Takes no more connections. Those that there are are ended by the thread with the store. */
  stop(): void {
    this.#listener?.stop();
  }

  #sweepLater(): ScheduledTask {
    return this.#clock.schedule(SWEEP_MS, () => {
      for (const connection of [...this.#connections.values()]) connection.sweep();
      this.#sweep = this.#connections.size === 0 ? undefined : this.#sweepLater();
    }, true);
  }

  #countLater(): ScheduledTask {
    return this.#clock.schedule(COUNTS_MS, () => {
      this.#tellCounts();
      this.#counting = this.#connections.size === 0 ? undefined : this.#countLater();
    }, true);
  }

  #tellCounts(): void {
    const { reads, sender } = this.#context;
    if (reads.counts.commands === 0) return;
    sender.send(FRAME.counts, 0, new TextEncoder().encode(JSON.stringify(reads.counts)));
    reads.counts = { commands: 0, hits: 0, misses: 0 };
  }
}

/** What waits is shown; what was sent is counted by the other half, but for what was read here. */
function heldBytes(shown: HeldBytes): HeldBytes {
  return {
    get output() {
      return shown.output;
    },
    set output(value) {
      shown.output = value;
    },
    input: 0,
    sent: 0,
  };
}
