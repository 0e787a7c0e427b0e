/** The threads of `cairn serve --threads N` beside the main one. */

import { getLogger } from "@logtape/logtape";
import process from "node:process";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { KvStore } from "../../mod.ts";
import type { Telemetry, TlsFiles, Tokens } from "../../server/http/mod.ts";
import type { TcpServer } from "../../server/tcp/mod.ts";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { HttpServer } from "../http_server.ts";
import { printError } from "../print_error.ts";
import type { Figures, ServeThreadData, ThreadOrder, ThreadReport } from "./messages.ts";

/** Most threads, the main one included. */
export const THREADS_MAX = 64;

/** What the threads work with. */
export interface ServeThreadsOptions extends
  Pick<
    ServeThreadData,
    "counts" | "http" | "logLevel" | "slowRequestMs" | "tcp" | "threads" | "tls" | "tokens"
  > {
  store: KvStore;
  httpServer: HttpServer;
  tcpServer: TcpServer | undefined;
  telemetry: Telemetry;
  /** How many requests are under way on all threads. */
  pendingRequests: () => number;
}

/** Throws a CliError where several threads cannot listen on one port. */
export function checkThreads(threads: number): void {
  if (threads === 1) return;
  const isBun = "Bun" in globalThis;
  if (isBun && process.platform === "linux") return;
  throw new CliError(
    EXIT_CODE.usage,
    `--threads ${threads} needs ${isBun ? "Linux" : "the executable"}, where several threads can ` +
      "listen on one port: leave it out",
  );
}

/** Those threads. */
export class ServeThreads {
  readonly #threads: ServeThread[];

  private constructor(threads: ServeThread[]) {
    this.#threads = threads;
  }

  /** Resolves when all of them listen; throws a CliError if one cannot. */
  static async start(options: ServeThreadsOptions): Promise<ServeThreads> {
    const { hostRequests } = await import("../../server/http/threads/mod.ts");
    const { store, httpServer, tcpServer, telemetry, pendingRequests, ...rest } = options;
    const handle = store.share();
    const threads = Array.from({ length: options.threads - 1 }, (_none, index) => {
      const [http, tcp] = [new MessageChannel(), new MessageChannel()];
      hostRequests(http.port1, httpServer.answer, pendingRequests);
      tcpServer?.host(tcp.port1);
      const data: ServeThreadData = {
        ...rest,
        kind: "cairn serve",
        store: handle,
        number: index + 1,
        httpPort: http.port2,
        tcpPort: tcp.port2,
      };
      return new ServeThread(data, [http.port2, tcp.port2]);
    });
    telemetry.metrics.include(() => Promise.all(threads.map((thread) => thread.figures())));
    await Promise.all(threads.map((thread) => thread.listening));
    return new ServeThreads(threads);
  }

  /** Other tokens and another certificate, from now on. */
  renew(tokens: Tokens | undefined, tls: TlsFiles | undefined): void {
    for (const thread of this.#threads) thread.order({ kind: "renew", tokens, tls });
  }

  /** Takes no more connections, and resolves when the requests under way are answered. */
  async close(graceMs: number): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close(graceMs)));
  }

  /** Ends them. */
  async terminate(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}

class ServeThread {
  /** Resolves when it does. */
  readonly listening: Promise<void>;
  readonly #worker: Worker;
  readonly #closed = Promise.withResolvers<void>();
  readonly #asked = new Map<number, (figures: Figures) => void>();
  #isEnding = false;
  #nextId = 1;

  constructor(data: ServeThreadData, ports: MessagePort[]) {
    const started = Promise.withResolvers<void>();
    this.listening = started.promise;
    // This same program: in an executable there is no other file.
    const { main } = (globalThis as unknown as { Bun: { main: string } }).Bun;
    this.#worker = new Worker(main, {
      workerData: data,
      transferList: ports,
    });
    this.#worker.on("error", (error) => this.#died(error));
    this.#worker.on("exit", () => this.#died(new Error("it has ended")));
    this.#worker.on("message", (message: ThreadReport) => {
      if (message.kind === "listening") started.resolve();
      else if (message.kind === "failed") {
        this.#isEnding = true;
        started.reject(
          new CliError(EXIT_CODE.connection, `a thread cannot listen: ${message.message}`),
        );
      } else if (message.kind === "closed") this.#closed.resolve();
      else if (message.kind === "figures") {
        this.#asked.get(message.id)?.(message.figures);
        this.#asked.delete(message.id);
      } else {
        const { category, ...record } = message.record;
        getLogger([...category]).emit(record);
      }
    });
  }

  order(order: ThreadOrder): void {
    this.#worker.postMessage(order);
  }

  figures(): Promise<Figures> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      this.order({ kind: "figures", id });
    });
  }

  close(graceMs: number): Promise<void> {
    this.order({ kind: "close", graceMs });
    return this.#closed.promise;
  }

  async terminate(): Promise<void> {
    this.#isEnding = true;
    await this.#worker.terminate();
  }

  /** Its clients are gone, and what it was about to pass on: better a restart than half a server. */
  #died(cause: unknown): void {
    if (this.#isEnding) return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    process.exit(printError(
      new CliError(EXIT_CODE.io, `a thread of the server has died: ${reason}`, { cause }),
    ));
  }
}
