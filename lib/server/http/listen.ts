/** The socket under an application: Bun's server where there is one, else Deno's. */

import { type ScheduledTask, systemClock } from "../../clock.ts";
import { KvError } from "../../errors.ts";
import { problemOf } from "./problem.ts";

/** Options of {@link listen}. */
export interface ListenOptions {
  /** Address to listen on. */
  hostname: string;
  /** Port; 0 takes a free one. */
  port: number;
  /** Answers a request. */
  fetch: (request: Request) => Response | Promise<Response>;
}

/** A listening server. */
export interface Listener {
  /** The port, chosen by the system if 0 was asked for. */
  readonly port: number;
  /** Where it is reached. */
  readonly url: string;
  /**
   * Takes no more connections, lets requests under way finish for at most `graceMs` milliseconds,
   * and then ends what is left.
   */
  close(graceMs: number): Promise<void>;
}

/** The parts of the two runtimes' interfaces that are used here. */
interface Runtimes {
  Bun?: {
    serve(options: {
      hostname: string;
      port: number;
      development: false;
      reusePort: false;
      idleTimeout: number;
      maxRequestBodySize: number;
      fetch: ListenOptions["fetch"];
      error: (error: unknown) => Response;
    }): { port: number; stop(closeActiveConnections: boolean): Promise<void> };
  };
  Deno?: {
    serve(
      options: {
        hostname: string;
        port: number;
        signal: AbortSignal;
        onListen: () => void;
        onError: (error: unknown) => Response;
      },
      handler: ListenOptions["fetch"],
    ): { addr: { port: number }; shutdown(): Promise<void> };
  };
}

const IDLE_TIMEOUT_SECONDS = 60;

/** Starts to listen. Throws at once if the address cannot be had. */
export function listen(options: ListenOptions): Listener {
  const { Bun, Deno } = globalThis as Runtimes;
  if (Bun !== undefined) return listenOnBun(Bun, options);
  if (Deno !== undefined) return listenOnDeno(Deno, options);
  throw new KvError("Unsupported", "The server needs Bun or Deno: run it under one of them");
}

function listenOnBun(
  bun: NonNullable<Runtimes["Bun"]>,
  { hostname, port, fetch }: ListenOptions,
): Listener {
  const server = bun.serve({
    hostname,
    port,
    development: false,
    // Else Bun lets a second server take the same port, and the kernel splits clients between them.
    reusePort: false,
    idleTimeout: IDLE_TIMEOUT_SECONDS,
    // The application limits bodies itself, with an answer of its own.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch,
    error: problemOf,
  });
  return {
    port: server.port,
    url: urlOf(hostname, server.port),
    async close(graceMs) {
      await within(graceMs, server.stop(false), () => server.stop(true));
    },
  };
}

function listenOnDeno(
  deno: NonNullable<Runtimes["Deno"]>,
  { hostname, port, fetch }: ListenOptions,
): Listener {
  const abort = new AbortController();
  const server = deno.serve(
    { hostname, port, signal: abort.signal, onListen: () => {}, onError: problemOf },
    fetch,
  );
  return {
    port: server.addr.port,
    url: urlOf(hostname, server.addr.port),
    async close(graceMs) {
      // Not waiting for server.finished: that would be for handlers which may never return.
      await within(graceMs, server.shutdown(), () => abort.abort());
    },
  };
}

async function within(
  graceMs: number,
  graceful: Promise<void>,
  force: () => unknown,
): Promise<void> {
  let timer: ScheduledTask | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = systemClock.schedule(graceMs, () => resolve("late"));
  });
  const outcome = await Promise.race([graceful, late]);
  timer?.cancel();
  if (outcome === "late") await force();
}

function urlOf(hostname: string, port: number): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
