/** A service on a store in memory, with its telemetry, for tests of what is measured and logged. */

import { KvStore, type OpenOptions } from "../../lib/mod.ts";
import { type AppOptions, createApp, Telemetry } from "../../lib/server/http/mod.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { MemoryLogger } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";
import { type Family, parseExposition } from "./prometheus_text.ts";

/** What is served, measured and logged. Time stands still unless a test moves it. */
export class ObservedService implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly logger = new MemoryLogger();
  readonly telemetry = new Telemetry({ clock: this.clock });
  store!: KvStore;
  app!: ReturnType<typeof createApp>;

  static async start(
    { open = {}, app = {} }: { open?: OpenOptions; app?: AppOptions } = {},
  ): Promise<ObservedService> {
    const service = new ObservedService();
    const { telemetry, logger } = service;
    const { observer } = telemetry;
    const fileSystem = new MemoryFileSystem();
    service.store = await KvStore.open("/store", { fileSystem, observer, ...open });
    service.app = createApp(service.store, { telemetry, logger, ...app });
    return service;
  }

  async ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const response = await this.app.request(`http://localhost:8620${path}`, { method, ...init });
    await response.clone().arrayBuffer();
    return response;
  }

  /** What `/metrics` would say, without the request that asks for it. */
  async scrape(): Promise<Map<string, Family>> {
    return parseExposition(await this.telemetry.metrics.render("prometheus"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}
