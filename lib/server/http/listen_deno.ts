/** Deno's server. */

import { type ScheduledTask, systemClock } from "../../clock.ts";
import { KvError } from "../../errors.ts";
import type { Handler } from "./gate.ts";
import type { Listener, ListenOptions } from "./listen.ts";
import { problemOf } from "./problem.ts";
import { urlOf } from "./server_url.ts";

/** The part of Deno's interface that is used here. */
export interface DenoRuntime {
  serve(
    options: {
      hostname: string;
      port: number;
      signal: AbortSignal;
      onListen: () => void;
      onError: (error: unknown) => Response;
      cert?: string;
      key?: string;
    },
    handler: Handler,
  ): { addr: { port: number }; shutdown(): Promise<void> };
}

/** Starts a server. */
export function listenOnDeno(deno: DenoRuntime, options: ListenOptions): Listener {
  const { hostname, port, fetch, tls } = options;
  const abort = new AbortController();
  const server = deno.serve(
    { hostname, port, signal: abort.signal, onListen: () => {}, onError: problemOf, ...tls },
    fetch,
  );
  return {
    port: server.addr.port,
    url: urlOf(options, server.addr.port),
    async close(graceMs) {
      // Not waiting for server.finished: that would be for handlers which may never return.
      await within(graceMs, server.shutdown(), () => abort.abort());
    },
    renew() {
      throw new KvError("Unsupported", "Deno's server keeps its certificate: restart it");
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
