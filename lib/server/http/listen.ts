/** The socket under an application: Bun's server where there is one, else Deno's. */

import { KvError } from "../../errors.ts";
import type { TlsFiles } from "../tls_files.ts";
import type { ConnectionLimit } from "../connection_limit.ts";
import type { Handler } from "./gate.ts";
import { type BunRuntime, listenOnBun } from "./listen_bun.ts";
import { type DenoRuntime, listenOnDeno } from "./listen_deno.ts";

/** Options of {@link listen}. */
export interface ListenOptions {
  /** Address to listen on. */
  hostname: string;
  /** Port; 0 takes a free one. */
  port: number;
  /** Answers a request. */
  fetch: Handler;
  /** Makes it HTTPS, of TLS 1.2 or 1.3. */
  tls?: TlsFiles;
  /** Keeps the number of open connections below a maximum (Bun on Linux; otherwise there is none). */
  connections?: ConnectionLimit;
  /** Shares the port with other threads, which listen on it too (Bun on Linux; default false). */
  reusePort?: boolean;
}

/** A listening server. */
export interface Listener {
  /** The port, chosen by the system if 0 was asked for. */
  readonly port: number;
  /** Where it is reached. */
  readonly url: string;
  /**
   * Takes no more connections, lets requests under way finish for at most `graceMs` milliseconds,
   * and then ends what is left. Of these, `abandoned` says how many need not be waited for (Bun).
   */
  close(graceMs: number, abandoned?: () => number): Promise<void>;
  /**
   * Uses another certificate for new connections; requests under way finish on the old. Throws a
   * KvError `Unsupported` under Deno, and what the runtime says if the certificate is of no use; the
   * old one stays then.
   */
  renew(tls: TlsFiles): void;
}

/**
 * Starts to listen. Throws at once if the address cannot be had, or the certificate is of no use, and
 * a KvError `Unsupported` on other runtimes than Bun and Deno.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 * import { createApp, listen } from "@cairn/kv/http";
 *
 * await using store = await KvStore.open("./data");
 * const { fetch: answer } = createApp(store);
 * const server = listen({ hostname: "127.0.0.1", port: 0, fetch: answer });
 * console.log(await (await fetch(`${server.url}/readyz`)).text()); // {"status":"ready"}
 * await server.close(1000);
 * ```
 */
export function listen(options: ListenOptions): Listener {
  const { Bun, Deno } = globalThis as { Bun?: BunRuntime; Deno?: DenoRuntime };
  if (Bun !== undefined) return listenOnBun(Bun, options);
  if (Deno !== undefined) return listenOnDeno(Deno, options);
  throw new KvError("Unsupported", "The server needs Bun or Deno: run it under one of them");
}
