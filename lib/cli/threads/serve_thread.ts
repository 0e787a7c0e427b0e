/** A thread of `cairn serve` beside the main one: it has sockets, and reads the store of the other. */

import type { LogRecord } from "@logtape/logtape";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../clock.ts";
import { KvReader } from "../../mod.ts";
import type { HttpThreadPort } from "../../server/http/threads/mod.ts";
import type { ThreadPort } from "../../server/tcp/threads/mod.ts";
import { buildInfo } from "../build_info.ts";
import { connectionLimit } from "../connection_limit.ts";
import { hostRules, warnOfConnections } from "../http_server.ts";
import { configureThreadLogging } from "../logging.ts";
import { systemReason } from "../system_reason.ts";
import type { ServeThreadData, ThreadOrder, ThreadReport } from "./messages.ts";

/** Metrics that threads count, each for itself. */
const COUNTED = /^cairn_(?:http|tcp|operations)_/;
/** So long after the end of all change feeds, those that are left are waited for no more. */
const FEEDS_MS = 500;

/** Serves, until the main thread says that it is enough. */
export async function runServeThread(): Promise<void> {
  const data = workerData as ServeThreadData;
  const port = parentPort!;
  const report = (message: ThreadReport) => port.postMessage(message);
  configureThreadLogging(data.logLevel, (record) => report({ kind: "log", record: plain(record) }));
  try {
    const thread = await ServeThread.start(data);
    port.on("message", (order: ThreadOrder) => {
      switch (order.kind) {
        case "figures":
          return report({ kind: "figures", id: order.id, figures: thread.figures() });
        case "renew":
          return thread.renew(order);
        case "close":
          return void thread.close(order.graceMs).then(() => report({ kind: "closed" }));
      }
    });
    report({ kind: "listening" });
  } catch (error) {
    report({ kind: "failed", message: systemReason(error) });
  }
}

type Closeable = Awaited<ReturnType<typeof listen>>;

class ServeThread {
  readonly #servers: Closeable;

  private constructor(servers: Closeable) {
    this.#servers = servers;
  }

  static async start(data: ServeThreadData): Promise<ServeThread> {
    return new ServeThread(await listen(data));
  }

  figures(): ReturnType<Closeable["telemetry"]["metrics"]["figures"]> {
    return this.#servers.telemetry.metrics.figures(COUNTED);
  }

  renew({ tokens, tls }: Extract<ThreadOrder, { kind: "renew" }>): void {
    const { access, listener, tcpServer } = this.#servers;
    if (tokens !== undefined) access?.replace(tokens);
    if (tls === undefined) return;
    listener.renew(tls);
    tcpServer?.renew(tls);
  }

  async close(graceMs: number): Promise<void> {
    const { listener, tcpServer, front } = this.#servers;
    tcpServer?.stop();
    const begin = systemClock.monotonic();
    const isLate = () => systemClock.monotonic() - begin > FEEDS_MS;
    await listener.close(graceMs, () => isLate() ? front.streams : 0);
  }
}

async function listen(data: ServeThreadData) {
  const http = await import("../../server/http/mod.ts");
  const httpThreads = await import("../../server/http/threads/mod.ts");
  const tcpThreads = await import("../../server/tcp/threads/mod.ts");
  const { number, threads, tls, tokens, slowRequestMs } = data;
  const reader = KvReader.attach(data.store);
  const telemetry = new http.Telemetry({ program: buildInfo() });
  const access = tokens === undefined ? undefined : new http.AccessControl(tokens);
  httpThreads.shareResponseMemory(1 / threads);
  const { hostname, port } = data.http;
  const front = new httpThreads.ReadingFront({
    rules: hostRules(http, { ...data.http, tls }, port),
    reader,
    telemetry,
    access,
    slowRequestMs,
    count: new httpThreads.RequestCount(data.counts, number),
    port: data.httpPort as MessagePort as HttpThreadPort,
  });
  const connections = connectionLimit(http.descriptorsMaxOf, warnOfConnections);
  const listener = http.listen({
    hostname,
    port,
    reusePort: true,
    fetch: front.fetch,
    ...(tls !== undefined && { tls }),
    ...(connections !== undefined && { connections }),
  });
  if (data.tcp === undefined) return { telemetry, access, listener, front, tcpServer: undefined };
  const tcpServer = new tcpThreads.ReadingServer({
    reader,
    telemetry,
    port: data.tcpPort as MessagePort as ThreadPort,
    // The main thread has the other half.
    share: 0.5 / (threads - 1),
  });
  await tcpServer.listen({ ...data.tcp, ...(tls !== undefined && { tls }) });
  return { telemetry, access, listener, front, tcpServer };
}

/** What of a log entry another thread can be sent. */
function plain(record: LogRecord): LogRecord {
  const clean = (value: unknown) =>
    value instanceof Error
      ? value.message
      : typeof value === "object" || typeof value === "function"
      ? String(value)
      : value;
  return {
    ...record,
    message: record.message.map(clean),
    rawMessage: String(record.rawMessage),
    properties: Object.fromEntries(
      Object.entries(record.properties).map(([name, value]) => [name, clean(value)]),
    ),
  };
}
