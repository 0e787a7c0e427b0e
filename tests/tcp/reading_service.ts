/** A TCP service whose connections are accepted by another thread's half, here on the same thread. */

import { KvReader } from "../../lib/mod.ts";
import { type TcpServerOptions, Telemetry } from "../../lib/server/tcp/mod.ts";
import { ReadingServer, type ThreadPort } from "../../lib/server/tcp/threads/mod.ts";
import { MemoryTransport } from "./memory_transport.ts";
import { TcpService } from "./tcp_service.ts";

/** Two ends of a channel. Messages are copied, and come in a later turn. */
export function linkedPorts(): [ThreadPort, ThreadPort] {
  const listeners: ((message: unknown) => void)[] = [];
  const port = (own: number): ThreadPort => ({
    on: (_event, listener) => listeners[own] = listener,
    postMessage(message, transfer) {
      const copy = structuredClone(message, { transfer });
      setImmediate(() => listeners[1 - own]!(copy));
    },
  });
  return [port(0), port(1)];
}

/** The service. */
export class ReadingService implements AsyncDisposable {
  readonly telemetry: Telemetry;
  readonly reader: KvReader;
  readonly front: ReadingServer;
  /** Keys whose values were read here. */
  readonly read: string[] = [];
  /** How often a key was looked up here. */
  looks = 0;

  readonly main: TcpService;

  private constructor(main: TcpService) {
    this.main = main;
    const { clock, fileSystem } = main;
    const [here, there] = linkedPorts();
    this.telemetry = new Telemetry({ clock });
    this.reader = KvReader.attach(main.store.share(), { fileSystem });
    const { reader, read, telemetry } = this;
    const noting = {
      getShort: (key: Uint8Array, valueBytesMax: number) => {
        this.looks++;
        const value = reader.getShort(key, valueBytesMax);
        if (value instanceof Uint8Array) read.push(new TextDecoder().decode(key));
        return value;
      },
      getEntrySync: (key: Uint8Array) => reader.getEntrySync(key),
      stat: (key: Uint8Array) => {
        this.looks++;
        return reader.stat(key);
      },
    };
    main.server.host(there);
    this.front = new ReadingServer({ reader: noting, port: here, telemetry, share: 0.5, clock });
  }

  static async start(options: TcpServerOptions = {}): Promise<ReadingService> {
    return new ReadingService(await TcpService.start(options));
  }

  /** A connection that the other thread's half accepts. */
  connect(): MemoryTransport {
    return new MemoryTransport(this.front);
  }

  /** Waits until everything that was sent is answered. */
  async settle(): Promise<void> {
    for (let round = 0; round < 6; round++) {
      this.main.clock.advance(0);
      await this.main.settle();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reader.detach();
    await this.main[Symbol.asyncDispose]();
  }
}
