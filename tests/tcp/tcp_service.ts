/** A TCP service on a store in memory, for tests. Time stands still unless a test moves it. */

import { KvStore, type OpenOptions } from "../../lib/mod.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { createTcpServer, type TcpServer, Telemetry } from "../../lib/server/tcp/mod.ts";
import type { TcpServerOptions } from "../../lib/server/tcp/mod.ts";
import { type Family, parseExposition } from "../server/prometheus_text.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { TestClock } from "../support/test_clock.ts";
import { MemoryLogger } from "../support/test_store.ts";
import { MemoryTransport } from "./memory_transport.ts";

/** What is served, measured and logged. */
export class TcpService implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly logger = new MemoryLogger();
  readonly telemetry = new Telemetry({ clock: this.clock });
  readonly fileSystem = new FaultyFileSystem(new MemoryFileSystem());
  store!: KvStore;
  server!: TcpServer;

  static async start(
    options: TcpServerOptions = {},
    open: OpenOptions = {},
    prepare: (service: TcpService) => void = () => {},
  ): Promise<TcpService> {
    const service = new TcpService();
    prepare(service);
    const { telemetry, logger, fileSystem } = service;
    service.store = await KvStore.open("/store", {
      fileSystem,
      observer: telemetry.observer,
      compaction: { auto: false },
      ...open,
    });
    service.server = createTcpServer(service.store, { telemetry, logger, ...options });
    return service;
  }

  /** A connection. */
  connect(): MemoryTransport {
    return new MemoryTransport(this.server);
  }

  /** Sends `input` on a connection of its own, and returns what it got when nothing is to come. */
  async exchange(input: string): Promise<string> {
    const client = this.connect();
    client.send(input);
    await this.settle();
    client.leave();
    return client.text;
  }

  /** Waits until everything that was sent is answered. */
  async settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      await this.store.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** From now on every fsync fails. */
  failSyncs(): void {
    this.fileSystem.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
  }

  /** What `/metrics` would say. */
  async scrape(): Promise<Map<string, Family>> {
    return parseExposition(await this.telemetry.metrics.render("prometheus"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}
